import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { type Digest, isDigest, messageOf } from "#base";
import { backupDamaged, backupNotOne, backupTooNew } from "./errors.ts";

export const BACKUP_FORM = "backup/1";
/** Written last: without it a folder is no backup. */
export const BACKUP_FILE = "backup.json";

/** Below it are the store's files. */
export const FILES_FOLDER = "files";

/** What `backup.json` says. */
export interface BackupRecord {
  readonly form: string;
  /** Of the project whose store it is. */
  readonly project: string;
  /** Of the program that made it. */
  readonly version: string;
  /** The moment that the metadata are of, ms since the epoch. */
  readonly takenAtMs: number;
  /** Of the metadata: how many migrations their schema has. */
  readonly schema: number;
  /** Tables with the number of their rows. */
  readonly tables: Readonly<Record<string, number>>;
  /** Below the backup: one `TABLE.ndjson.gz` for each table. */
  readonly metadata: string;
  /** Below the backup: a line of JSON for each file. */
  readonly manifest: string;
  /** Of the manifest itself. */
  readonly manifestDigest: Digest;
  readonly files: number;
  readonly bytes: number;
}

/** A file of a backup. */
export interface BackedFile {
  /** Below the backup, with `/`. */
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
}

/** @throws BACKUP_FOLDER_UNKNOWN, BACKUP_TOO_NEW */
export async function readRecord(folder: string): Promise<BackupRecord> {
  let record: BackupRecord;
  try {
    record = JSON.parse(await readFile(join(folder, BACKUP_FILE), "utf8")) as BackupRecord;
  } catch (error) {
    throw backupNotOne({ folder, reason: messageOf(error) }, error);
  }
  if (record.form !== BACKUP_FORM) {
    if (/^backup\/\d+$/.test(String(record.form)))
      throw backupTooNew({ folder, found: record.form, known: BACKUP_FORM });
    throw backupNotOne({ folder, reason: `its ${BACKUP_FILE} is of another form` });
  }
  for (const path of [record.metadata, record.manifest]) assertBelow(path, BACKUP_FILE);
  return record;
}

/** The files of a backup. Paths lead nowhere else. @throws BACKUP_DAMAGED */
export async function* readManifest(folder: string, { manifest }: BackupRecord): AsyncGenerator<BackedFile> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(join(folder, manifest)), crlfDelay: Infinity })) {
    number++;
    let file: BackedFile;
    try {
      file = JSON.parse(line) as BackedFile;
    } catch (error) {
      throw backupDamaged({ file: `${manifest}:${number}`, problem: `is not JSON (${messageOf(error)})` }, error);
    }
    assertBelow(file.path, `${manifest}:${number}`);
    if (!isDigest(file.digest)) throw backupDamaged({ file: `${manifest}:${number}`, problem: "names no digest" });
    yield file;
  }
}

function assertBelow(path: unknown, place: string): void {
  if (
    typeof path === "string" &&
    path !== "" &&
    !path.includes("\0") &&
    !isAbsolute(path) &&
    normalize(path) === path &&
    !path.startsWith("..")
  )
    return;
  throw backupDamaged({ file: place, problem: `names ${JSON.stringify(path)}, which is not below the backup` });
}
