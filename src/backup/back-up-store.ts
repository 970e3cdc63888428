import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { type Clock, digestOf } from "#base";
import { openSnapshot } from "#metadata-store/snapshot";
import { digestOfFile } from "#storage";
import { type BackupProgress, copyFile, failureOf, forEachAtOnce, isCopied, namesIn } from "./copy-files.ts";
import { backupFolderInside, backupFolderTaken, storeChanging } from "./errors.ts";
import {
  BACKUP_FILE,
  BACKUP_FORM,
  type BackedFile,
  type BackupRecord,
  FILES_FOLDER,
  readManifest,
  readRecord,
} from "./manifest.ts";
import { makeMetadataFolder, writeTable } from "./metadata-files.ts";
import { listStoreFiles } from "./store-files.ts";

/** So often may files vanish under the copy before it is given up. */
const TRIES = 3;
const OWN_NAMES = /^(backup\.json(\.part)?|files|metadata-\d+|files-\d+\.ndjson)$/;

export interface BackupOptions {
  /** Absolute folder of the store. */
  readonly storeFolder: string;
  readonly metadataAddress: string;
  /** Absolute; new, empty, or an earlier backup of the same store, of which only what changed is written. */
  readonly folder: string;
  readonly project: string;
  readonly version: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly report?: (progress: BackupProgress) => void;
}

export interface FinishedBackup {
  readonly folder: string;
  readonly takenAtMs: number;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** Files that an earlier backup in the folder had already. */
  readonly kept: number;
}

/**
 * Copies a store while it is in use. The metadata are of one moment; files are copied after it, and whatever the
 * metadata name was written before. When files vanish meanwhile (a vacuum, a drop), all is begun again.
 *
 * @throws BACKUP_FOLDER_TAKEN, BACKUP_FOLDER_INSIDE, BACKUP_STORE_CHANGING, METADATA_STORE_EMPTY,
 *   METADATA_STORE_UNREACHABLE
 */
export async function backUpStore(options: BackupOptions): Promise<FinishedBackup> {
  const { storeFolder, folder } = options;
  if (isBelow(folder, storeFolder)) throw backupFolderInside({ folder, store: storeFolder });
  const before = await readEarlier(options);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (let tries = 1; ; tries++) {
    const gone = await tryBackup(options, before);
    if (typeof gone !== "string") return gone;
    if (tries === TRIES) throw storeChanging({ file: join(storeFolder, gone), tries });
  }
}

function isBelow(folder: string, parent: string): boolean {
  const path = relative(resolve(parent), resolve(folder));
  return path === "" || (!path.startsWith(`..${sep}`) && path !== "..");
}

/** Digests of what an earlier backup in the folder holds, by path. */
async function readEarlier({ folder, project }: BackupOptions): Promise<ReadonlyMap<string, BackedFile>> {
  const names = await namesIn(folder, () => backupFolderTaken({ folder }));
  if (names.length === 0) return new Map();
  if (!names.every((name) => OWN_NAMES.test(name))) throw backupFolderTaken({ folder });
  if (!names.includes(BACKUP_FILE)) return new Map();
  const record = await readRecord(folder);
  if (record.project !== project) throw backupFolderTaken({ folder });
  const files = new Map<string, BackedFile>();
  for await (const file of readManifest(folder, record)) files.set(file.path, file);
  return files;
}

/** A finished backup, or the file that vanished. */
async function tryBackup(
  options: BackupOptions,
  before: ReadonlyMap<string, BackedFile>,
): Promise<FinishedBackup | string> {
  const { storeFolder, metadataAddress, folder, signal, clock } = options;
  const first = await listStoreFiles(storeFolder);
  const snapshot = await openSnapshot(metadataAddress);
  const takenAtMs = clock.now();
  const metadata = `metadata-${takenAtMs}`;
  const tables: Record<string, number> = {};
  const backed: BackedFile[] = [];
  try {
    const metadataFolder = await makeMetadataFolder(folder, metadata);
    for (const table of snapshot.tables) {
      const path = `${metadata}/${table}.ndjson.gz`;
      tables[table] = await writeTable(join(metadataFolder, `${table}.ndjson.gz`), snapshot.rows(table), signal);
      const { size } = await stat(join(folder, path));
      backed.push({ path, size, digest: await digestOfFile(join(folder, path)) });
    }
  } finally {
    await snapshot.close();
  }
  const paths = [...new Set([...(await listStoreFiles(storeFolder)), ...first])];
  let gone: string | undefined;
  let kept = 0;
  let done = 0;
  let bytes = 0;
  await forEachAtOnce(
    paths,
    async (path) => {
      if (gone !== undefined) return;
      const from = join(storeFolder, path);
      const stored = `${FILES_FOLDER}/${path}`;
      const to = join(folder, stored);
      try {
        const known = before.get(stored);
        const isKept = known !== undefined && (await isCopied(from, to));
        const { size, digest } = isKept ? known : await copyFile(from, to, signal);
        if (isKept) kept++;
        backed.push({ path: stored, size, digest });
        bytes += size;
        done++;
        options.report?.({ files: done, of: paths.length, bytes });
      } catch (error) {
        if (failureOf(error).code !== "ENOENT") throw error;
        gone = path;
      }
    },
    signal,
  );
  if (gone !== undefined) return gone;
  const record = { form: BACKUP_FORM, project: options.project, version: options.version, takenAtMs, tables, metadata };
  await finish(folder, { ...record, schema: snapshot.schema }, backed);
  const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
  return { folder, takenAtMs, rows, files: paths.length, bytes, kept };
}

/** Puts the backup in force, then removes what belonged to the one before. */
async function finish(
  folder: string,
  record: Omit<BackupRecord, "manifest" | "manifestDigest" | "files" | "bytes">,
  backed: readonly BackedFile[],
): Promise<void> {
  const manifest = `files-${record.takenAtMs}.ndjson`;
  const sorted = backed.toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const text = sorted.map((file) => `${JSON.stringify(file)}\n`).join("");
  await writeFile(join(folder, manifest), text, { mode: 0o600, flush: true });
  const whole: BackupRecord = {
    ...record,
    manifest,
    manifestDigest: digestOf(text),
    files: backed.length,
    bytes: backed.reduce((sum, { size }) => sum + size, 0),
  };
  const file = join(folder, BACKUP_FILE);
  await writeFile(`${file}.part`, `${JSON.stringify(whole, undefined, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${file}.part`, file);
  const current = new Set([record.metadata, manifest, BACKUP_FILE, FILES_FOLDER]);
  for (const name of await readdir(folder))
    if (!current.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  const wanted = new Set(backed.map(({ path }) => path));
  const stored = await readdir(join(folder, FILES_FOLDER), { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of stored) {
    const path = relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, "/");
    if (entry.isFile() && !wanted.has(path)) await rm(join(folder, path));
  }
}
