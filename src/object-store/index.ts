export { createFileSystemObjectStore } from "./drivers/file-system.ts";
export type { ObjectStat, ObjectStore } from "./object-store.ts";
export { digestOfTree, putTree, type Tree, type TreeFile, writeTree } from "./tree.ts";
