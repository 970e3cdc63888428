import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { newId } from "#base";
import type { AssetVersion } from "#metadata-store";
import { digestOfTree, type Blobs, putTree, type Tree, writeTree } from "#storage";
import type { AssetStorage } from "#pipeline";

/**
 * Plain folders as assets: code, reports, notebooks. Published as a tree of objects, located as a folder written once
 * per digest.
 *
 * @param options.folder the store's folder; trees are kept below `cache/trees/`
 */
export function createTreeStorage(options: { readonly objects: Blobs; readonly folder: string }): AssetStorage {
  const { objects } = options;
  return {
    kinds: ["code", "report", "notebook"],
    async locate(version: AssetVersion) {
      const path = join(options.folder, "cache", "trees", version.digest.slice("sha256:".length));
      if (!(await exists(path))) await writeOnce(objects, version.content as Tree, path);
      return { format: "tree/1", path };
    },
    async publish({ asset, kind, folder }) {
      const tree = await putTree(objects, folder);
      const sizeBytes = tree.files.reduce((sum, file) => sum + file.sizeBytes, 0);
      return { made: { asset, kind, digest: digestOfTree(tree), sizeBytes, content: tree } };
    },
  };
}

/** Written beside and renamed, so that a reader sees the whole tree or none. */
async function writeOnce(objects: Blobs, tree: Tree, path: string): Promise<void> {
  const temporary = `${path}.${newId()}`;
  await writeTree(objects, tree, temporary);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // Another process was faster: its tree is the same.
    if (!(await exists(path))) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
