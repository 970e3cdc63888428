import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, nearestName } from "#base";
import { type AssetVersion, getAssetVersion, listAssets, listAssetVersions, type MetadataStore } from "#metadata-store";
import { packageFileDamaged, packageTargetExists, versionMissing } from "./errors.ts";
import { digestOfFile } from "#storage";
import { readModelContent } from "#models";
import {
  ARTIFACT_TYPE,
  CONFIG_TYPE,
  formatConfig,
  formatManifest,
  type ImageIndex,
  INDEX_TYPE,
  MANIFEST_TYPE,
  type PackageFacts,
  REFERENCE_ANNOTATION,
  sortLayers,
} from "./model-pack.ts";
import { collectPackage, type PackageSourceOptions, type SourcedLayer } from "./package-source.ts";
import { writeTar } from "./tar.ts";

export interface ExportRequest {
  readonly project: string;
  /** Name of the model. */
  readonly name: string;
  /** Default: the latest. */
  readonly version?: number | undefined;
  /** A folder (an OCI image layout, made or added to), or a new file that ends in `.tar`. */
  readonly to: string;
  /** Default `value`. */
  readonly data?: "value" | "reference" | undefined;
  /** Default 1 GiB. */
  readonly limitBytes?: number | undefined;
}

export interface ExportedModel {
  readonly path: string;
  /** Tag in the layout: `v7`. */
  readonly reference: string;
  readonly manifestDigest: Digest;
  readonly layers: number;
  /** Of the layers together. */
  readonly sizeBytes: number;
  readonly data: "value" | "reference" | undefined;
}

const DEFAULT_LIMIT_BYTES = 1024 ** 3;
const LAYOUT_FILE = '{"imageLayoutVersion":"1.0.0"}';

/**
 * Writes a model version and its data as an OCI image layout with a CNCF ModelPack artifact: one file per raw layer, so
 * that a layer's digest is the file's. Files of the store are copied (cloned where the file system can) and checked: a
 * damaged one is not exported, and what becomes of the package never touches the store. Exporting twice gives the same
 * manifest digest.
 *
 * @throws MODELS_VERSION_MISSING, MODELS_VERSION_NOT_MODEL, MODELS_PACKAGE_TARGET_EXISTS
 * Source: CNCF model-spec v0.0.7, OCI image-spec 1.1.1.
 */
export async function exportModel(
  request: ExportRequest,
  options: Pick<PackageSourceOptions, "store" | "objects" | "tables">,
): Promise<ExportedModel> {
  const version = await findVersion(options.store, request);
  const isTar = request.to.endsWith(".tar");
  const folder = isTar ? `${request.to}.layout` : request.to;
  await assertWritable(request.to, isTar);
  const collected = await collectPackage(version, {
    ...options,
    data: request.data ?? "value",
    limitBytes: request.limitBytes ?? DEFAULT_LIMIT_BYTES,
  });
  const written = await writeLayout(folder, version, collected.layers);
  if (isTar) {
    await writeTar(folder, request.to);
    await rm(folder, { recursive: true });
  }
  return {
    path: request.to,
    ...written,
    layers: collected.layers.length,
    sizeBytes: collected.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    data: collected.data,
  };
}

async function findVersion(store: MetadataStore, { project, name, version }: ExportRequest): Promise<AssetVersion> {
  const found = await store.read((transaction) =>
    getAssetVersion(transaction, { project, asset: name, ...(version === undefined ? {} : { version }) }),
  );
  if (found !== undefined) {
    readModelContent(found);
    return found;
  }
  const { versions, models } = await store.read(async (transaction) => ({
    versions: (await listAssetVersions(transaction, { project, asset: name, limit: 20 })).map((each) =>
      String(each.version),
    ),
    models: (await listAssets(transaction, { project, kind: "model" })).map(({ asset }) => asset),
  }));
  throw versionMissing({
    asset: name,
    version: version === undefined ? "version" : `version ${version}`,
    known: versions,
    nearest: versions.length === 0 ? nearestName(name, models) : undefined,
  });
}

async function assertWritable(to: string, isTar: boolean): Promise<void> {
  const facts = await stat(to).catch(() => undefined);
  if (facts === undefined) return;
  const names = facts.isDirectory() && !isTar ? await readdir(to) : undefined;
  if (names === undefined || (names.length > 0 && !names.includes("oci-layout")))
    throw packageTargetExists({ path: to });
}

async function writeLayout(
  folder: string,
  version: AssetVersion,
  sources: readonly SourcedLayer[],
): Promise<{ readonly reference: string; readonly manifestDigest: Digest }> {
  const { model, record } = readModelContent(version);
  const facts: PackageFacts = {
    name: version.asset,
    version: String(version.version),
    createdAt: new Date(version.madeAtMs).toISOString(),
    revision: record.commit?.id,
    description: `${model.task} made by step ${record.madeBy.step} of pipeline ${record.madeBy.pipeline}`,
    format: model.runtime,
  };
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  for (const layer of sources) await writeBlob(blobs, layer);
  const layers = sortLayers(sources);
  const config = formatConfig(facts, layers);
  const configDigest = await writeTextBlob(blobs, config);
  const manifest = formatManifest(
    facts,
    { mediaType: CONFIG_TYPE, digest: configDigest, size: Buffer.byteLength(config) },
    layers,
  );
  const manifestDigest = await writeTextBlob(blobs, manifest);
  const reference = `v${version.version}`;
  const entry = {
    mediaType: MANIFEST_TYPE,
    digest: manifestDigest,
    size: Buffer.byteLength(manifest),
    artifactType: ARTIFACT_TYPE,
    annotations: { [REFERENCE_ANNOTATION]: reference },
  };
  const known = await readFile(join(folder, "index.json"), "utf8").then(
    (text) => (JSON.parse(text) as ImageIndex).manifests,
    () => [],
  );
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: [...known.filter((each) => each.annotations?.[REFERENCE_ANNOTATION] !== reference), entry],
  };
  await writeWhole(join(folder, "oci-layout"), LAYOUT_FILE);
  // The index comes last: what it names is there.
  await writeWhole(join(folder, "index.json"), JSON.stringify(index));
  return { reference, manifestDigest };
}

async function writeBlob(blobs: string, layer: SourcedLayer): Promise<void> {
  if ("text" in layer.source) return void (await writeTextBlob(blobs, layer.source.text));
  const target = join(blobs, hexOf(layer.digest));
  if ((await digestOfFile(target).catch(() => undefined)) === layer.digest) return;
  const partial = `${target}.partial`;
  await rm(partial, { force: true });
  const { file } = layer.source;
  await copyFile(file, partial, constants.COPYFILE_FICLONE);
  const found = await digestOfFile(partial);
  if (found !== layer.digest) {
    await rm(partial, { force: true });
    throw packageFileDamaged({ file, digest: layer.digest, found });
  }
  await rename(partial, target);
}

async function writeTextBlob(blobs: string, text: string): Promise<Digest> {
  const digest = digestOf(text);
  await writeWhole(join(blobs, hexOf(digest)), text);
  return digest;
}

async function writeWhole(path: string, text: string): Promise<void> {
  // A blob of an earlier export may be a hard link into the store: it is replaced, never written to.
  await writeFile(`${path}.partial`, text);
  await rename(`${path}.partial`, path);
}

function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
