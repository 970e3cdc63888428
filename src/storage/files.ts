import type { Readable } from "node:stream";
import type { FileHandle } from "node:fs/promises";
import type { Digest } from "#base";

export interface FileStat {
  readonly sizeBytes: number;
  /** Another one for another content under the same path; in quotes, as HTTP has it. */
  readonly etag: string;
}

/** A file, as it is listed. */
export interface ListedFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/** A name in one folder. */
export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
  /** 0 for folders. */
  readonly sizeBytes: number;
}

/** One content of a file, until the holder closes it; what is put in its place later does not change it. */
export interface OpenFile extends FileStat {
  /** Where the file system itself can be read: the fastest way. */
  readonly handle?: FileHandle;
  /** Bytes `start`…`end` (both included; default: all). */
  read(range?: ByteRange): Readable;
  close(): Promise<void>;
}

/** Both ends are included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** When a put takes place: only where there is no file, or only where its content is still the one with this etag. */
export type PutCondition = "absent" | { readonly etag: string };

export type FileContent = Uint8Array | string | AsyncIterable<Uint8Array>;

/**
 * Files by name: what readers look for by where it is, such as tables, their logs and artifacts.
 *
 * A path is segments joined by `/`, none of them empty, `.` or `..`; STORAGE_PATH_INVALID for any other. A file is
 * visible when it is whole and durable, and is replaced as a whole. Folders are there while a file is below them.
 * `.incoming` at the root holds what is not whole yet, and is not listed with the rest.
 *
 * Every method also throws STORAGE_FAILED and what else keeps the storage from being reached.
 */
export interface Files {
  /** Where they are, as messages name it: a folder or `s3://…`. */
  readonly place: string;
  /** Size and etag; undefined where there is no file. */
  stat(path: string): Promise<FileStat | undefined>;
  /** @throws STORAGE_FILE_MISSING */
  open(path: string): Promise<OpenFile>;
  /** The whole content with its etag, for small files; undefined where there is no file. */
  get(path: string): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined>;
  /**
   * Stores a file. Undefined, and nothing stored, when the condition does not hold. Of writers that race under a
   * condition exactly one is let through, on whatever machines they run.
   *
   * @throws STORAGE_PATH_TAKEN where the file system has a folder of that name, or a file for a folder on the way;
   *   what the content's stream throws
   */
  put(path: string, content: FileContent, condition?: PutCondition): Promise<FileStat | undefined>;
  /** All files below a folder (default: all there are), in no stated order. */
  list(folder?: string): AsyncIterable<ListedFile>;
  /** What is directly in a folder, by name; nothing for what is not there or is a file. */
  entries(folder: string): Promise<readonly FolderEntry[]>;
  /** Names directly in a folder, of files and folders, in no stated order. */
  names(folder: string): Promise<readonly string[]>;
  /** Removes a file, or a folder with all below it. What is not there is no error. */
  remove(path: string): Promise<void>;
  /** Removes what was begun before a time and never finished; returns how much it was. */
  removeUnfinished(beforeMs: number, options?: { readonly dryRun?: boolean | undefined }): Promise<number>;
}

/** A file that is to be read by its path. */
export interface WantedFile {
  readonly path: string;
  /** What is known of it is checked when it is fetched: STORAGE_FILE_DAMAGED. */
  readonly sizeBytes?: number | undefined;
  readonly digest?: Digest | undefined;
}

/**
 * Files that other programs read and write by path: DuckDB, a step. None is written twice under the same name.
 *
 * Where the storage is a folder of this machine, they are used in place; elsewhere `folder` is a local cache.
 */
export interface LocalFiles extends Files {
  /** Absolute folder: a file is at its path below it once it was fetched. */
  readonly folder: string;
  /**
   * Makes files readable below `folder`. In place it does nothing: a file that is not there shows when it is read.
   *
   * @throws STORAGE_FILE_MISSING, STORAGE_FILE_DAMAGED
   */
  fetch(wanted: Iterable<WantedFile>): Promise<void>;
  /** Makes a folder below `folder`, so that a file can be written there. */
  prepare(path: string): Promise<void>;
  /**
   * Makes a new file that was written below `folder` durable, and visible to everybody at `path`.
   *
   * @param options.from where it was written, when that is another path; it is moved. Default: `path` itself
   * @throws STORAGE_FAILED
   */
  publish(path: string, options?: { readonly from?: string }): Promise<PublishedFile>;
}

export interface PublishedFile {
  readonly sizeBytes: number;
  readonly digest: Digest;
}
