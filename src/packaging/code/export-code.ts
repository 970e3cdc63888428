import { mkdir, readdir, stat } from "node:fs/promises";
import type { Digest } from "#base";
import { type AssetVersion, getAssetVersion, listAssets, listAssetVersions, type MetadataStore } from "#metadata-store";
import { type Blobs, digestOfFile, digestOfTree, type Tree, writeTree } from "#storage";
import { join } from "node:path";
import { codeMissing, codeTargetExists, packageFileDamaged } from "../errors.ts";

export interface CodeExport {
  readonly project: string;
  readonly name: string;
  /** Default: the latest. */
  readonly version?: number | undefined;
  /** A folder that is not there yet, or empty. */
  readonly to: string;
}

export interface ExportedCode {
  readonly path: string;
  readonly version: number;
  readonly digest: Digest;
  readonly files: number;
  readonly sizeBytes: number;
}

/**
 * Writes the files of a version of code into a folder, each checked against its digest.
 *
 * @throws MODELS_PACKAGE_CODE_MISSING, MODELS_PACKAGE_FOLDER_EXISTS, MODELS_PACKAGE_FILE_DAMAGED
 */
export async function exportCode(
  request: CodeExport,
  { store, objects }: { readonly store: MetadataStore; readonly objects: Blobs },
): Promise<ExportedCode> {
  const version = await findCode(store, request);
  const tree = treeOf(version);
  const { to } = request;
  const facts = await stat(to).catch(() => undefined);
  if (facts !== undefined && (!facts.isDirectory() || (await readdir(to)).length > 0))
    throw codeTargetExists({ path: to });
  await mkdir(to, { recursive: true });
  await writeTree(objects, tree, to);
  for (const { path, digest } of tree.files) {
    const file = join(to, path);
    const found = await digestOfFile(file);
    if (found !== digest) throw packageFileDamaged({ file, digest, found });
  }
  return {
    path: to,
    version: version.version,
    digest: digestOfTree(tree),
    files: tree.files.length,
    sizeBytes: tree.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** Plain folders are kept as trees (`engine`), and no other kind is exported here. */
function treeOf(version: AssetVersion): Tree {
  return version.content as Tree;
}

async function findCode(store: MetadataStore, { project, name, version }: CodeExport): Promise<AssetVersion> {
  const found = await store.read((transaction) =>
    getAssetVersion(transaction, { project, asset: name, ...(version === undefined ? {} : { version }) }),
  );
  if (found?.kind === "code") return found;
  const known = await store.read(async (transaction) => {
    const versions = await listAssetVersions(transaction, { project, asset: name, limit: 20 });
    return versions.some(({ kind }) => kind === "code")
      ? versions.map((each) => `version ${each.version}`)
      : (await listAssets(transaction, { project, kind: "code" })).map(({ asset }) => asset);
  });
  throw codeMissing({ asset: name, version: version === undefined ? "version" : `version ${version}`, known });
}
