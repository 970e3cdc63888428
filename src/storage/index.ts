export { createFileSystemBlobs } from "./drivers/file-system-blobs.ts";
export { createFileSystemFiles } from "./drivers/file-system-files.ts";
export { createCachedFiles } from "./drivers/cached-files.ts";
export { createRemoteBlobs } from "./drivers/remote-blobs.ts";
export { readCredentials } from "./credentials.ts";
export { openS3Files, type S3Options } from "./drivers/open-s3-files.ts";
export { digestOfFile, digestOfNewFile } from "./file-digest.ts";
export type { BlobStat, Blobs } from "./blobs.ts";
export type {
  ByteRange,
  FileContent,
  Files,
  FileStat,
  FolderEntry,
  ListedFile,
  LocalFiles,
  OpenFile,
  PublishedFile,
  PutCondition,
  WantedFile,
} from "./files.ts";
export { INCOMING_FOLDER } from "./file-path.ts";
export { trimCache } from "./trim-cache.ts";
export { digestOfTree, isTree, isTreeAt, putTree, type Tree, type TreeFile, writeTree } from "./tree.ts";
