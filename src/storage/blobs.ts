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
 * heals it.
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
  /** Digest of what is stored under a name now, read anew where it is kept. @throws STORAGE_OBJECT_MISSING */
  digestOfStored(digest: Digest): Promise<Digest>;
  /** Size of an object, or undefined when there is none. */
  stat(digest: Digest): Promise<BlobStat | undefined>;
  /**
   * A path at which the object can be read in place, fetched to a local cache first where needed. Never write to it.
   * @throws STORAGE_OBJECT_MISSING
   */
  localPath(digest: Digest): Promise<string>;
  /** Removes an object. Removing what is not there is no error. Only garbage collection calls this. */
  delete(digest: Digest): Promise<void>;
}
