export { createFileSystemObjectStore } from "./drivers/file-system.ts";
export { digestOfFile } from "./file-digest.ts";
export type { ObjectStat, ObjectStore } from "./object-store.ts";
export { digestOfTree, isTreeAt, putTree, type Tree, type TreeFile, writeTree } from "./tree.ts";
