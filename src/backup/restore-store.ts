import { mkdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { digestOfFile } from "#storage";
import { messageOf } from "#base";
import { openSnapshotTarget } from "#metadata-store/snapshot";
import { type BackupProgress, copyFile, failureOf, forEachAtOnce, namesIn } from "./copy-files.ts";
import { backupDamaged, storeFolderTaken } from "./errors.ts";
import { type BackedFile, type BackupRecord, FILES_FOLDER, readManifest, readRecord } from "./manifest.ts";
import { readTable } from "./metadata-files.ts";

export interface RestoreOptions {
  /** Absolute folder of the backup. */
  readonly backup: string;
  /** Absolute folder of the store; missing or empty. */
  readonly storeFolder: string;
  /** An empty metadata store, of either kind. */
  readonly metadataAddress: (storeFolder: string) => string;
  readonly signal: AbortSignal;
  readonly report?: (progress: BackupProgress) => void;
}

export interface RestoredStore {
  readonly project: string;
  readonly takenAtMs: number;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
}

/** What is damaged in a backup. */
export interface BackupCheck {
  readonly project: string;
  readonly takenAtMs: number;
  readonly files: number;
  readonly bytes: number;
  readonly damages: readonly { readonly file: string; readonly problem: string }[];
}

/**
 * Makes a store from a backup: all of it, or nothing. Every byte is compared with its digest on the way.
 *
 * @throws BACKUP_FOLDER_UNKNOWN, BACKUP_TOO_NEW, BACKUP_DAMAGED, BACKUP_STORE_TAKEN, METADATA_STORE_NOT_EMPTY,
 *   METADATA_STORE_TOO_NEW, METADATA_STORE_UNREACHABLE
 */
export async function restoreStore(options: RestoreOptions): Promise<RestoredStore> {
  const { backup, storeFolder, signal } = options;
  const record = await readRecord(backup);
  await assertManifest(backup, record);
  if ((await namesIn(storeFolder, () => storeFolderTaken({ folder: storeFolder }))).length > 0)
    throw storeFolderTaken({ folder: storeFolder });
  // Beside its place until it is whole.
  const partial = `${storeFolder}.restoring`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  let target: Awaited<ReturnType<typeof openSnapshotTarget>> | undefined;
  try {
    target = await openSnapshotTarget(options.metadataAddress(partial), record.schema);
    let done = 0;
    let bytes = 0;
    const copy = async (file: BackedFile): Promise<void> => {
      if (!file.path.startsWith(`${FILES_FOLDER}/`)) return check(backup, file);
      const to = join(partial, file.path.slice(FILES_FOLDER.length + 1));
      await copyChecked({ backup, file, to, signal });
      bytes += file.size;
      done++;
      options.report?.({ files: done, of: record.files, bytes });
    };
    await forEachAtOnce(readManifest(backup, record), copy, signal);
    for (const [table, count] of Object.entries(record.tables)) {
      let rows = 0;
      for await (const batch of readTable(join(backup, record.metadata, `${table}.ndjson.gz`))) {
        signal.throwIfAborted();
        await target.insert(table, batch);
        rows += batch.length;
      }
      if (rows !== count)
        throw backupDamaged({ file: `${record.metadata}/${table}.ndjson.gz`, problem: `has ${rows} rows of ${count}` });
    }
    await target.commit();
    await target.close();
    await rmdir(storeFolder).catch(() => {});
    await rename(partial, storeFolder);
    const rows = Object.values(record.tables).reduce((sum, count) => sum + count, 0);
    return { project: record.project, takenAtMs: record.takenAtMs, rows, files: done, bytes };
  } catch (error) {
    await target?.close().catch(() => {});
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** Compares every file of a backup with its digest. @throws BACKUP_FOLDER_UNKNOWN, BACKUP_TOO_NEW */
export async function checkBackup(
  backup: string,
  { signal, report }: Pick<RestoreOptions, "signal" | "report">,
): Promise<BackupCheck> {
  const record = await readRecord(backup);
  await assertManifest(backup, record);
  const damages: { file: string; problem: string }[] = [];
  let files = 0;
  let bytes = 0;
  await forEachAtOnce(
    readManifest(backup, record),
    async (file) => {
      const problem = await problemOf(backup, file);
      if (problem !== undefined) damages.push({ file: file.path, problem });
      bytes += file.size;
      files++;
      report?.({ files, of: record.files, bytes });
    },
    signal,
  );
  const sorted = damages.toSorted((left, right) => (left.file < right.file ? -1 : 1));
  return { project: record.project, takenAtMs: record.takenAtMs, files, bytes, damages: sorted };
}

async function assertManifest(backup: string, { manifest, manifestDigest }: BackupRecord): Promise<void> {
  const found = await digestOfFile(join(backup, manifest)).catch((error: unknown) => messageOf(error));
  if (found !== manifestDigest) throw backupDamaged({ file: manifest, problem: `is not as it was written (${found})` });
}

async function check(backup: string, file: BackedFile): Promise<void> {
  const problem = await problemOf(backup, file);
  if (problem !== undefined) throw backupDamaged({ file: file.path, problem });
}

async function problemOf(backup: string, { path, size, digest }: BackedFile): Promise<string | undefined> {
  try {
    const found = await stat(join(backup, path));
    if (found.size !== size) return `has ${found.size} bytes, expected ${size}`;
    const actual = await digestOfFile(join(backup, path));
    return actual === digest ? undefined : `has digest ${actual}, expected ${digest}`;
  } catch (error) {
    return `cannot be read (${messageOf(error)})`;
  }
}

async function copyChecked(facts: {
  readonly backup: string;
  readonly file: BackedFile;
  readonly to: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { backup, file, to, signal } = facts;
  const from = join(backup, file.path);
  try {
    const copied = await copyFile(from, to, signal);
    if (copied.digest === file.digest) return;
  } catch (error) {
    signal.throwIfAborted();
    const { code, path } = failureOf(error);
    if (code === "ENOENT" && path === from) throw backupDamaged({ file: file.path, problem: "is missing" }, error);
    throw error;
  }
  throw backupDamaged({ file: file.path, problem: `does not have the digest ${file.digest}` });
}
