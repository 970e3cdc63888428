import { copyFile, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { type Digest, digestOf, isDigest, messageOf } from "#base";
import { digestOfFile } from "#storage";
import { packageInvalid, packageTargetExists } from "./errors.ts";
import {
  ARTIFACT_TYPE,
  type Descriptor,
  FILE_PATH_ANNOTATION,
  type ImageIndex,
  type Manifest,
  REFERENCE_ANNOTATION,
} from "./model-pack.ts";

/** A package whose every digest was checked. */
export interface VerifiedPackage {
  readonly reference: string | undefined;
  readonly manifestDigest: Digest;
  readonly manifest: Manifest;
  readonly config: object;
  /** Files by their path in the package. */
  readonly files: readonly {
    readonly path: string;
    readonly mediaType: string;
    readonly digest: Digest;
    readonly sizeBytes: number;
    readonly blob: string;
  }[];
}

/**
 * Reads an OCI image layout with a model package and checks every digest and size in it.
 *
 * @param reference tag (`v7`); default: the last one written
 * @throws MODELS_PACKAGE_INVALID with what differs
 */
export async function readPackage(folder: string, reference?: string): Promise<VerifiedPackage> {
  const fail = (problem: string, cause?: unknown): never => {
    throw packageInvalid({ path: folder, problem }, cause);
  };
  const text = await readFile(join(folder, "index.json"), "utf8").catch((error: unknown) =>
    fail("it has no index.json", error),
  );
  const { manifests } = parseJson<ImageIndex>(text, "index.json", fail);
  if (!Array.isArray(manifests)) return fail("its index.json lists no manifests");
  const entry = manifests.findLast(
    (each) => reference === undefined || each.annotations?.[REFERENCE_ANNOTATION] === reference,
  );
  if (entry === undefined)
    return fail(
      `it holds no ${reference ?? "manifest"}; found ${manifests.map((each) => each.annotations?.[REFERENCE_ANNOTATION] ?? each.digest).join(", ")}`,
    );
  const manifest = parseJson<Manifest>(await readBlob(folder, entry, fail), "its manifest", fail);
  if (manifest.artifactType !== ARTIFACT_TYPE)
    fail(`its artifact type is ${manifest.artifactType}, expected ${ARTIFACT_TYPE}`);
  const config = parseJson<{ readonly modelfs?: { readonly diffIds?: readonly string[] } }>(
    await readBlob(folder, manifest.config, fail),
    "its config",
    fail,
  );
  const diffIds = config.modelfs?.diffIds ?? [];
  if (
    diffIds.length !== manifest.layers.length ||
    manifest.layers.some(({ digest }, index) => diffIds[index] !== digest)
  )
    fail("its config lists other layers than its manifest");
  const files: VerifiedPackage["files"][number][] = [];
  for (const layer of manifest.layers) {
    const path = layer.annotations?.[FILE_PATH_ANNOTATION];
    if (path === undefined) return fail(`layer ${layer.digest} says no path`);
    const blob = blobPath(folder, layer, fail);
    const facts = await stat(blob).catch((error: unknown) => fail(`${path} (${layer.digest}) is missing`, error));
    if (facts.size !== layer.size) fail(`${path} has ${facts.size} bytes, expected ${layer.size}`);
    const found = await digestOfFile(blob);
    if (found !== layer.digest) fail(`${path} has digest ${found}, expected ${layer.digest}`);
    files.push({ path, mediaType: layer.mediaType, digest: layer.digest, sizeBytes: layer.size, blob });
  }
  return {
    reference: entry.annotations?.[REFERENCE_ANNOTATION],
    manifestDigest: entry.digest,
    manifest,
    config,
    files,
  };
}

/**
 * Writes a verified package's files below a folder that is new or empty. `data/training` is then a Delta table.
 *
 * @throws MODELS_PACKAGE_TARGET_EXISTS, MODELS_PACKAGE_INVALID when a path leads out of the folder
 */
export async function unpackPackage(verified: VerifiedPackage, to: string): Promise<void> {
  const root = resolve(to);
  const there = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw packageTargetExists({ path: to });
  });
  if (there.length > 0) throw packageTargetExists({ path: to });
  for (const { path, blob } of verified.files) {
    const target = resolve(root, path);
    if (!target.startsWith(root + sep))
      throw packageInvalid({ path: to, problem: `the path ${JSON.stringify(path)} leads out of the package` });
    await mkdir(dirname(target), { recursive: true });
    await copyFile(blob, target);
  }
}

type Fail = (problem: string, cause?: unknown) => never;

function parseJson<Shape>(text: string, what: string, fail: Fail): Shape {
  try {
    return JSON.parse(text) as Shape;
  } catch (error) {
    return fail(`${what} is no JSON (${messageOf(error)})`, error);
  }
}

function blobPath(folder: string, { digest }: Descriptor, fail: Fail): string {
  if (!isDigest(digest)) return fail(`${JSON.stringify(digest)} is no sha256 digest`);
  return join(folder, "blobs", "sha256", digest.slice("sha256:".length));
}

async function readBlob(folder: string, descriptor: Descriptor, fail: Fail): Promise<string> {
  const bytes = await readFile(blobPath(folder, descriptor, fail)).catch((error: unknown) =>
    fail(`${descriptor.digest} is missing`, error),
  );
  if (bytes.length !== descriptor.size || digestOf(bytes) !== descriptor.digest)
    fail(`${descriptor.digest} was changed`);
  return bytes.toString("utf8");
}
