import { randomUUID } from "node:crypto";
import { constants, createWriteStream } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { artifactDownload } from "./artifact-download.ts";
import { localSegments, proxiedSegments } from "./artifact-location.ts";
import { artifactSegments } from "./artifact-path.ts";
import { toStorageError } from "./artifact-storage-error.ts";
import { artifactLocationForeign, artifactMissing, artifactNotWritable, artifactPathInvalid } from "./errors.ts";
import type { MlflowRequest, MlflowResponse } from "./mlflow-rest/call.ts";

/** Where uploads grow until they are whole; on the same file system as the artifacts, invisible to readers. */
export const INCOMING_FOLDER = ".incoming";
const BUFFER_BYTES = 1024 * 1024;
const LARGEST_LISTING = 100_000;

export interface ArtifactEntry {
  /** Name inside the listed folder. */
  readonly name: string;
  readonly isFolder: boolean;
  /** 0 for folders. */
  readonly sizeBytes: number;
}

/** A file that is open for reading, until the holder closes it. */
export interface OpenArtifact {
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  /** Another one for another content under the same path. */
  readonly etag: string;
}

/**
 * Artifacts as plain files in MLflow's layout, `<experiment>/<run>/artifacts/…`, so that they can be read in place.
 *
 * Nothing outside the root is ever opened: paths are checked as text, links are neither followed nor listed.
 * A file is visible only when it is whole and on disk.
 */
export interface ArtifactFolder {
  /** Absolute path of the root. */
  readonly root: string;
  /** This root, and those of the folders that clients write to themselves. */
  readonly roots: readonly string[];
  /** Entries of a folder by name; none for a file or what is not there. @throws TRACKING_ARTIFACT_PATH_INVALID */
  list(path: string): Promise<readonly ArtifactEntry[]>;
  /**
   * Takes a stream as the content of a file; what was there before is replaced at once. Returns the size in bytes.
   * @throws TRACKING_ARTIFACT_PATH_INVALID, TRACKING_ARTIFACT_NOT_WRITABLE
   */
  write(path: string, content: AsyncIterable<Uint8Array>): Promise<number>;
  /**
   * Moves a finished file, which must be below `.incoming`, to its place. @throws TRACKING_ARTIFACT_PATH_INVALID,
   * TRACKING_ARTIFACT_NOT_WRITABLE
   */
  adopt(path: string, file: string): Promise<void>;
  /**
   * Opens a file for reading. The caller closes it. @throws TRACKING_ARTIFACT_MISSING, TRACKING_ARTIFACT_PATH_INVALID
   */
  open(path: string): Promise<OpenArtifact>;
  /**
   * Removes a file or a folder with all below it. What is not there is no error. @throws
   * TRACKING_ARTIFACT_PATH_INVALID, also for the root itself
   */
  remove(path: string): Promise<void>;
  /**
   * The answer that sends a file below a location, whole or the range that the request asks for. @throws
   * TRACKING_ARTIFACT_MISSING, TRACKING_ARTIFACT_LOCATION_FOREIGN, TRACKING_ARTIFACT_PATH_INVALID
   */
  download(request: {
    readonly location: string;
    readonly path: string;
    readonly request: Pick<MlflowRequest, "method" | "headers">;
  }): Promise<MlflowResponse>;
  /**
   * The folder that holds a location, this or one of `direct`, and the path there of what lies at `path` below the
   * location.
   *
   * `mlflow-artifacts:` is this folder; `file:` and plain paths are where they lie strictly below a root.
   *
   * @throws TRACKING_ARTIFACT_LOCATION_FOREIGN for locations that clients alone read, TRACKING_ARTIFACT_PATH_INVALID
   */
  at(location: string, path?: string): { readonly folder: ArtifactFolder; readonly path: string };
}

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

export interface ArtifactFolderOptions {
  /** Absolute folder; made on first write. */
  readonly root: string;
  /**
   * True where others than the server's user read the files too: modes then follow the umask. Default: files 0600,
   * folders 0700.
   */
  readonly isShared?: boolean;
  /** Folders that clients write to themselves, by their path: what lies there is read here too. */
  readonly direct?: readonly ArtifactFolder[];
}

export function createArtifactFolder({ root, isShared = false, direct = [] }: ArtifactFolderOptions): ArtifactFolder {
  const fileMode = isShared ? {} : { mode: PRIVATE_FILE };
  const folderMode = isShared ? {} : { mode: PRIVATE_FOLDER };

  async function resolve(path: string): Promise<string> {
    const segments = artifactSegments(path);
    if (segments[0] === INCOMING_FOLDER) throw artifactPathInvalid({ path });
    await assertNoLinks(root, segments, path);
    return join(root, ...segments);
  }

  async function place(path: string): Promise<string> {
    const target = await resolve(path);
    if (target === root) throw artifactPathInvalid({ path });
    return target;
  }

  async function publish(target: string, file: string, path: string): Promise<void> {
    try {
      await mkdir(dirname(target), { recursive: true, ...folderMode });
      await rename(file, target);
      await syncFolder(dirname(target));
    } catch (error) {
      const reason = conflictOf(error);
      throw reason === undefined ? toStorageError(error, path) : artifactNotWritable({ path, reason }, error);
    }
  }

  const self: ArtifactFolder = {
    root,
    roots: [root, ...direct.map((folder) => folder.root)],
    async list(path) {
      const folder = await resolve(path);
      try {
        return await readFolder(folder, folder === root);
      } catch (error) {
        if (isCode(error, "ENOENT", "ENOTDIR")) return [];
        throw toStorageError(error, path);
      }
    },
    async write(path, content) {
      const target = await place(path);
      const temporary = join(root, INCOMING_FOLDER, randomUUID());
      try {
        await mkdir(dirname(temporary), { recursive: true, ...folderMode });
        const file = createWriteStream(temporary, {
          flags: "wx",
          flush: true,
          highWaterMark: BUFFER_BYTES,
          ...fileMode,
        });
        await pipeline(piecesOf(content), file);
        await publish(target, temporary, path);
        return file.bytesWritten;
      } catch (error) {
        await rm(temporary, { force: true });
        throw toStorageError(error, path);
      }
    },
    async adopt(path, file) {
      await publish(await place(path), file, path);
    },
    async open(path) {
      const target = await resolve(path);
      return openFile(target, path);
    },
    async remove(path) {
      const target = await place(path);
      await rm(target, { recursive: true, force: true }).catch((error: unknown) =>
        Promise.reject(toStorageError(error, path) as Error),
      );
    },
    async download({ location, path, request }) {
      const held = self.at(location, path);
      return artifactDownload(await held.folder.open(held.path), held.path, request);
    },
    at(location, path = "") {
      const below = artifactSegments(path);
      const proxied = proxiedSegments(location);
      if (proxied !== undefined) return { folder: self, path: [...proxied, ...below].join("/") };
      for (const folder of [...direct, self]) {
        const local = localSegments(location, folder.root);
        if (local !== undefined) return { folder, path: [...local, ...below].join("/") };
      }
      throw artifactLocationForeign({ location });
    },
  };
  return self;
}

/**
 * The pieces of a request's body, which stays open when they are not taken to the end: an answer goes back on the same
 * connection.
 */
export async function* piecesOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces =
    content instanceof Readable ? (content.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) : content;
  for await (const piece of pieces) yield piece;
}

async function openFile(target: string, path: string): Promise<OpenArtifact> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
    handle = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG")) throw artifactMissing({ path }, error);
    throw toStorageError(error, path);
  }
  const facts = await handle.stat({ bigint: true });
  // Files are replaced, never changed: one that is replaced has another inode, or another time.
  if (facts.isFile())
    return {
      handle,
      sizeBytes: Number(facts.size),
      etag: `"${[facts.ino, facts.mtimeNs, facts.size].map((fact) => fact.toString(36)).join("-")}"`,
    };
  await handle.close();
  throw artifactMissing({ path });
}

/** A link could lead out of the root, whatever its text: none on the way is followed. The root itself may be one. */
async function assertNoLinks(root: string, segments: readonly string[], path: string): Promise<void> {
  let current = root;
  for (const segment of segments) {
    current = join(current, segment);
    try {
      if ((await lstat(current)).isSymbolicLink()) throw artifactPathInvalid({ path });
    } catch (error) {
      if (isCode(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) return;
      throw error;
    }
  }
  // Nothing was written yet: there is no root, and nothing in it.
  const base = await realpath(root).catch((error: unknown) =>
    isCode(error, "ENOENT") ? undefined : Promise.reject(error as Error),
  );
  if (base === undefined) return;
  const real = await realpath(current);
  if (real !== base && !real.startsWith(base + sep)) throw artifactPathInvalid({ path });
}

async function readFolder(folder: string, isRoot: boolean): Promise<readonly ArtifactEntry[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(
    (entry) => (entry.isFile() || entry.isDirectory()) && !(isRoot && entry.name === INCOMING_FOLDER),
  );
  entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  const listed: ArtifactEntry[] = [];
  for (const entry of entries.slice(0, LARGEST_LISTING)) {
    const isFolder = entry.isDirectory();
    listed.push({ name: entry.name, isFolder, sizeBytes: isFolder ? 0 : (await stat(join(folder, entry.name))).size });
  }
  return listed;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

/** What is in the way of a path; undefined when nothing is, and the storage itself failed. */
function conflictOf(error: unknown): string | undefined {
  if (isCode(error, "EISDIR", "ENOTEMPTY")) return "there is a folder of that name";
  if (isCode(error, "ENOTDIR", "EEXIST")) return "a part of the path is a file";
  if (isCode(error, "ENAMETOOLONG")) return "a part of the path is too long";
  return undefined;
}
