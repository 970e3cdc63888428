import type { Readable } from "node:stream";
import type { Digest } from "#base";

/** What the store says of one object. */
export interface BlobStat {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/**
 * Immutable blobs, addressed by the sha256 of their content.
 *
 * Writing the same content twice stores it once. An object is visible only when it is whole and on disk;
 * a writer that dies leaves nothing that a reader can see.
 *
 * Bytes are checked against their digest before they are handed out: a damaged object is an error,
 * STORAGE_OBJECT_DAMAGED, never read as fine.
 * A large file is read for it once in a process, until its inode, size or times change. Storing the same content again
 * heals it, and makes it young again for whoever collects garbage.
 */
export interface Blobs {
  /** Stores bytes; returns their digest and size. Idempotent. */
  put(content: Uint8Array | string): Promise<BlobStat>;
  /**
   * Stores a stream without holding it in memory. When `expected` is given and differs: STORAGE_DIGEST_MISMATCH,
   * nothing stored.
   */
  putStream(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<BlobStat>;
  /** Stores a file's content; the file stays. */
  putFile(path: string): Promise<BlobStat>;
  /** @throws STORAGE_OBJECT_MISSING */
  get(digest: Digest): Promise<Buffer>;
  /** Opens an object, or bytes `start`…`end` of it (both included). @throws STORAGE_OBJECT_MISSING */
  open(digest: Digest, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  /** All objects by digest, whole or not, and where they are. */
  list(): AsyncIterable<{ readonly digest: Digest; readonly path: string }>;
  /** All objects, with what they weigh and when they were stored last. */
  listDated(): AsyncIterable<{ readonly digest: Digest; readonly sizeBytes: number; readonly modifiedAtMs: number }>;
  /** Digest of what is stored under a name now, read anew where it is kept. @throws STORAGE_OBJECT_MISSING */
  digestOfStored(digest: Digest): Promise<Digest>;
  /** Size of an object, or undefined when there is none. */
  stat(digest: Digest): Promise<BlobStat | undefined>;
  /**
   * A path at which the object can be read in place, fetched to a local cache first where needed. Never write to it.
   * @throws STORAGE_OBJECT_MISSING
   */
  localPath(digest: Digest): Promise<string>;
  /** Removes an object. Removing what is not there is no error. */
  delete(digest: Digest): Promise<void>;
  /**
   * Takes an object that nobody names out of the list, unless it was written, or stored again, since a time. It can
   * still be read, and storing it again brings it back.
   *
   * @returns its size, or undefined when it stays
   */
  setAside(digest: Digest, beforeMs: number): Promise<number | undefined>;
  /**
   * Decides over what was set aside: what is named comes back, the rest goes for good, where somebody may have stored
   * it again unseen only after a day.
   *
   * @returns how many went
   */
  settleAside(isNamed: (digest: Digest) => boolean): Promise<number>;
  /** Removes what was begun before a time and never finished; @returns how much it was. */
  removeUnfinished(beforeMs: number, options?: { readonly dryRun?: boolean | undefined }): Promise<number>;
}
