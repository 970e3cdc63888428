import { chmod, copyFile, lstat, mkdir, readdir } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type Digest, digestOfJson } from "#base";
import { pathOutsideTree, unsupportedFile } from "./errors.ts";
import { digestOfFile } from "./file-digest.ts";
import type { Blobs } from "./blobs.ts";

/** A folder as a value: its files by path and digest. Empty folders are not kept. */
export interface Tree {
  readonly format: "tree/1";
  /** Sorted by path; paths are relative, with `/`. */
  readonly files: readonly TreeFile[];
}

export interface TreeFile {
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly executable?: boolean;
}

/** What a version keeps of a folder. */
export function isTree(value: unknown): value is Tree {
  if (typeof value !== "object" || value === null || !("format" in value) || !("files" in value)) return false;
  return value.format === "tree/1" && Array.isArray(value.files);
}

/** Digest of a tree: equal for equal paths, contents and executable bits. */
export function digestOfTree(tree: Tree): Digest {
  return digestOfJson(tree);
}

/**
 * Stores every file below a folder.
 *
 * @throws STORAGE_FILE_UNSUPPORTED for links, sockets and devices
 */
export async function putTree(objects: Blobs, folder: string): Promise<Tree> {
  const names = (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join("/")).sort();
  const files: TreeFile[] = [];
  for (const path of names) {
    const absolute = join(folder, path);
    const facts = await lstat(absolute);
    if (facts.isDirectory()) continue;
    if (!facts.isFile()) throw unsupportedFile({ path: relative(folder, absolute) });
    const { digest, sizeBytes } = await objects.putFile(absolute);
    files.push({ path, digest, sizeBytes, ...((facts.mode & 0o100) === 0 ? {} : { executable: true }) });
  }
  return { format: "tree/1", files };
}

/**
 * Writes a tree's files below a folder, which is made.
 *
 * @throws STORAGE_PATH_OUTSIDE when a path leaves the folder, STORAGE_OBJECT_MISSING
 */
export async function writeTree(objects: Blobs, tree: Tree, folder: string): Promise<void> {
  const root = resolve(folder);
  await mkdir(root, { recursive: true });
  for (const file of tree.files) {
    const target = resolve(root, file.path);
    if (!target.startsWith(root + sep)) throw pathOutsideTree({ path: file.path });
    await mkdir(dirname(target), { recursive: true });
    await copyFile(await objects.localPath(file.digest), target);
    await chmod(target, file.executable === true ? 0o755 : 0o644);
  }
}

/** True when a folder that {@link writeTree} wrote still holds every file of the tree with its content. */
export async function isTreeAt(tree: Tree, folder: string): Promise<boolean> {
  for (const { path, digest } of tree.files) {
    const found = await digestOfFile(join(folder, path)).catch(() => undefined);
    if (found !== digest) return false;
  }
  return true;
}
