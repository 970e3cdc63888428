export { createFileSystemBlobs } from "./drivers/file-system-blobs.ts";
export { digestOfFile } from "./file-digest.ts";
export type { BlobStat, Blobs } from "./blobs.ts";
export { digestOfTree, isTreeAt, putTree, type Tree, type TreeFile, writeTree } from "./tree.ts";
