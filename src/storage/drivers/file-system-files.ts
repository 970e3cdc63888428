import { randomUUID } from "node:crypto";
import { constants, createReadStream, createWriteStream, type Dirent } from "node:fs";
import {
  chmod,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf } from "#base";
import { fileMissing, pathInvalid, pathTaken, storageFailed } from "../errors.ts";
import { fileSegments, folderSegments, INCOMING_FOLDER } from "../file-path.ts";
import type { FileContent, FileStat, FolderEntry, ListedFile, LocalFiles, OpenFile, PutCondition } from "../files.ts";
import { digestOfNewFile } from "../file-digest.ts";
import { systemCodeOf } from "../system-error.ts";
import { withFileLock } from "./file-lock.ts";

const BUFFER_BYTES = 1024 * 1024;
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
/** What a disk, a quota or its permissions say; any other error of a content is its own. */
const DISK_ERRORS = new Set(
  "ENOSPC EDQUOT EFBIG EACCES EPERM EROFS EIO EMFILE ENFILE ENODEV ESTALE ENOENT EXDEV".split(" "),
);

export interface FileSystemFilesOptions {
  /** Absolute folder; made on first write. It may be a link; what is below it may not. */
  readonly root: string;
  /**
   * True where others than the process's user read the files too: modes then follow the umask. Default: files 0600,
   * folders 0700.
   */
  readonly isShared?: boolean;
  /** True where no user chooses a name, so that a link below the root is the owner's will. Default false. */
  readonly allowsLinks?: boolean;
}

/**
 * Files in a folder, at the path that they have: other programs read them in place.
 *
 * Nothing outside the root is opened: paths are checked as text, links are neither followed nor listed. A file is
 * written in `.incoming`, synced, then renamed or, where it must be the first, linked to its name: an `open('wx')` that
 * dies would leave half a file that every reader sees.
 */
export function createFileSystemFiles(options: FileSystemFilesOptions): LocalFiles {
  const { root, isShared = false, allowsLinks = false } = options;
  const fileMode = isShared ? {} : { mode: PRIVATE_FILE };
  const folderMode = isShared ? {} : { mode: PRIVATE_FOLDER };
  const incoming = join(root, INCOMING_FOLDER);

  /** Absolute path of a file or folder, with no link on the way. */
  async function pathOf(segments: readonly string[], path: string): Promise<string> {
    if (!allowsLinks) await assertNoLinks(root, segments, path);
    return join(root, ...segments);
  }

  async function failing<Result>(operation: string, path: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw toStorageError(error, operation, join(root, path));
    }
  }

  return {
    place: root,
    folder: root,
    stat: async (path) => {
      const segments = fileSegments(path);
      return failing("read", path, async () => statFile(await pathOf(segments, path)));
    },
    async open(path) {
      const segments = fileSegments(path);
      const opened = await failing("read", path, async () => openFile(await pathOf(segments, path)));
      if (opened === undefined) throw fileMissing({ path, place: root });
      return opened;
    },
    async get(path) {
      const segments = fileSegments(path);
      return failing("read", path, async () => {
        const opened = await openFile(await pathOf(segments, path));
        if (opened === undefined) return undefined;
        try {
          return { bytes: await opened.handle.readFile(), etag: opened.etag };
        } finally {
          await opened.close();
        }
      });
    },
    async put(path, content, condition) {
      const segments = fileSegments(path);
      const temporary = join(incoming, randomUUID());
      try {
        const target = await pathOf(segments, path);
        await mkdir(incoming, { recursive: true, ...folderMode });
        await writeDurably(temporary, content, fileMode);
        const made = await statFile(temporary);
        await mkdir(dirname(target), { recursive: true, ...folderMode });
        if (!(await giveName({ temporary, target, condition, incoming }))) return undefined;
        return made ?? (await statFile(target));
      } catch (error) {
        throw pathConflict(error, path) ?? toStorageError(error, "write", join(root, path));
      } finally {
        await rm(temporary, { force: true });
      }
    },
    async *list(folder = "") {
      const segments = folderSegments(folder);
      const below = await failing("list", folder, () => pathOf(segments, folder));
      const isIncoming = segments[0] === INCOMING_FOLDER;
      for await (const file of filesBelow(below, segments.join("/")))
        if (isIncoming || !file.path.startsWith(`${INCOMING_FOLDER}/`)) yield file;
    },
    async entries(folder) {
      const segments = folderSegments(folder);
      return failing("list", folder, async () => readFolder(await pathOf(segments, folder), segments.length === 0));
    },
    async names(folder) {
      const segments = folderSegments(folder);
      return failing("list", folder, async () => namesOf(await pathOf(segments, folder)));
    },
    async remove(path) {
      const segments = fileSegments(path);
      await failing("remove", path, async () =>
        rm(await pathOf(segments, path), { recursive: true, force: true }).catch((error: unknown) => {
          // A file stands where a folder of the path would be.
          if (!isCode(error, "ENOTDIR")) throw error;
        }),
      );
    },
    removeUnfinished: (beforeMs, { dryRun = false } = {}) => sweep(incoming, beforeMs, dryRun),
    fetch: async () => undefined,
    async prepare(path) {
      const segments = folderSegments(path);
      await failing("write", path, async () => mkdir(await pathOf(segments, path), { recursive: true, ...folderMode }));
    },
    async publish(path, { from = path } = {}) {
      const [segments, written] = [fileSegments(path), join(root, ...fileSegments(from))];
      return failing("write", path, async () => {
        const target = await pathOf(segments, path);
        const inPlace = from === path ? [syncFolder(dirname(target))] : [];
        if (!isShared) await chmod(written, PRIVATE_FILE);
        const [digest, { size }] = await Promise.all([
          digestOfNewFile(written),
          stat(written),
          syncPath(written),
          ...inPlace,
        ]);
        if (from !== path) {
          await mkdir(dirname(target), { recursive: true, ...folderMode });
          await rename(written, target);
          await syncFolder(dirname(target));
        }
        return { digest, sizeBytes: size };
      });
    },
  };
}

/** False where the condition does not hold. */
async function giveName(of: {
  readonly temporary: string;
  readonly target: string;
  readonly condition: PutCondition | undefined;
  readonly incoming: string;
}): Promise<boolean> {
  const { temporary, target, condition } = of;
  if (condition === undefined) await rename(temporary, target);
  else if (condition === "absent") {
    try {
      await link(temporary, target);
    } catch (error) {
      if (isCode(error, "EEXIST")) return false;
      throw error;
    }
  } else {
    const isReplaced = await withFileLock({ folder: of.incoming, name: target }, async () => {
      if ((await statFile(target))?.etag !== condition.etag) return false;
      await rename(temporary, target);
      return true;
    });
    if (!isReplaced) return false;
  }
  await syncFolder(dirname(target));
  return true;
}

async function sweep(incoming: string, beforeMs: number, dryRun: boolean): Promise<number> {
  let count = 0;
  for (const name of await namesOf(incoming)) {
    const facts = await lstat(join(incoming, name)).catch(() => undefined);
    if (facts === undefined || facts.mtimeMs >= beforeMs) continue;
    count++;
    if (!dryRun) await rm(join(incoming, name), { recursive: true, force: true });
  }
  return count;
}

async function writeDurably(path: string, content: FileContent, mode: { readonly mode?: number }): Promise<void> {
  if (typeof content === "string" || content instanceof Uint8Array) {
    const file = await open(path, "wx", mode.mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
  } else
    await pipeline(
      piecesOf(content),
      createWriteStream(path, { flags: "wx", flush: true, highWaterMark: BUFFER_BYTES, ...mode }),
    );
}

/**
 * The pieces of a content. A request's body stays open when they are not taken to the end: the answer goes back on the
 * same connection.
 */
export async function* piecesOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // A stream of text says of itself that it is one of bytes.
  const pieces: AsyncIterable<Uint8Array | string> =
    content instanceof Readable ? content.iterator({ destroyOnReturn: false }) : content;
  for await (const piece of pieces) yield typeof piece === "string" ? Buffer.from(piece) : piece;
}

async function statFile(path: string): Promise<FileStat | undefined> {
  try {
    const facts = await lstat(path, { bigint: true });
    return facts.isFile() ? { sizeBytes: Number(facts.size), etag: etagOf(facts) } : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Files are replaced, never changed: one that is replaced has another inode, or another time. */
function etagOf(facts: { readonly ino: bigint; readonly mtimeNs: bigint; readonly size: bigint }): string {
  return `"${[facts.ino, facts.mtimeNs, facts.size].map((fact) => fact.toString(36)).join("-")}"`;
}

async function openFile(path: string): Promise<(OpenFile & { readonly handle: FileHandle }) | undefined> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isAbsent(error) || isCode(error, "ELOOP")) return undefined;
    throw error;
  }
  const facts = await handle.stat({ bigint: true });
  if (!facts.isFile()) {
    await handle.close();
    return undefined;
  }
  return {
    handle,
    sizeBytes: Number(facts.size),
    etag: etagOf(facts),
    read: (range) => createReadStream("", { fd: handle, autoClose: false, ...(range ?? { start: 0 }) }),
    close: () => handle.close(),
  };
}

/** A link could lead out of the root, whatever its text: none on the way is followed. The root itself may be one. */
async function assertNoLinks(root: string, segments: readonly string[], path: string): Promise<void> {
  const reason = "a part of it is a link";
  let current = root;
  for (const segment of segments) {
    current = join(current, segment);
    try {
      if ((await lstat(current)).isSymbolicLink()) throw pathInvalid({ path, reason });
    } catch (error) {
      if (isAbsent(error)) return;
      throw error;
    }
  }
  // Nothing was written yet: there is no root, and nothing in it.
  const base = await realpath(root).catch((error: unknown) => {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (base === undefined) return;
  const real = await realpath(current);
  if (real !== base && !real.startsWith(base + sep)) throw pathInvalid({ path, reason });
}

async function* filesBelow(folder: string, path: string): AsyncGenerator<ListedFile> {
  for (const entry of await entriesOf(folder)) {
    const inside = path === "" ? entry.name : `${path}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(join(folder, entry.name), inside);
    else if (entry.isFile()) {
      const facts = await stat(join(folder, entry.name)).catch(() => undefined);
      if (facts !== undefined) yield { path: inside, sizeBytes: facts.size, modifiedAtMs: facts.mtimeMs };
    }
  }
}

async function readFolder(folder: string, isRoot: boolean): Promise<readonly FolderEntry[]> {
  const listed: FolderEntry[] = [];
  for (const entry of await entriesOf(folder)) {
    if (isRoot && entry.name === INCOMING_FOLDER) continue;
    if (entry.isDirectory()) listed.push({ name: entry.name, isFolder: true, sizeBytes: 0 });
    else if (entry.isFile()) {
      const facts = await stat(join(folder, entry.name)).catch(() => undefined);
      if (facts !== undefined) listed.push({ name: entry.name, isFolder: false, sizeBytes: facts.size });
    }
  }
  return listed;
}

/** Entries of a folder by name; none when it is not there. */
async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

async function namesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Waits until what was written to a file, or the entries of a folder, are on disk. */
async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function syncFolder(path: string): Promise<void> {
  return syncPath(path);
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(systemCodeOf(error));
}

function isAbsent(error: unknown): boolean {
  return isCode(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG");
}

/** What is in the way of a path; undefined when nothing is. */
function pathConflict(error: unknown, path: string): Error | undefined {
  if (isCode(error, "EISDIR", "ENOTEMPTY")) return pathTaken({ path, reason: "there is a folder of that name" }, error);
  if (isCode(error, "ENOTDIR", "EEXIST")) return pathTaken({ path, reason: "a part of the path is a file" }, error);
  return undefined;
}

/** The error to throw for what a file operation threw: the storage's with its cure, everything else as it was. */
function toStorageError(error: unknown, operation: string, path: string): unknown {
  return DISK_ERRORS.has(systemCodeOf(error))
    ? storageFailed({ operation, path, reason: messageOf(error) }, error)
    : error;
}
