import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { type Digest, isDigest, messageOf } from "#base";
import { backupDamaged, backupNotOne, backupTooNew } from "./errors.ts";

export const BACKUP_FORM = "backup/1" as const;
/** Written last: without it a folder is no backup. */
export const BACKUP_FILE = "backup.json";

/** Below it are the store's files. */
export const FILES_FOLDER = "files";

const digestSchema = z.custom<Digest>((value) => typeof value === "string" && isDigest(value), "expected a digest");
const countSchema = z.int().min(0);

/** What `backup.json` says. */
const recordSchema = z.object({
  form: z.literal(BACKUP_FORM),
  /** Of the project whose store it is. */
  project: z.string(),
  /** Of the program that made it. */
  version: z.string(),
  /** The moment that the metadata are of, ms since the epoch. */
  takenAtMs: countSchema,
  /** Of the metadata: how many migrations their schema has. */
  schema: countSchema,
  /** Tables with the number of their rows. */
  tables: z.record(z.string().regex(/^[a-z_0-9]+$/), countSchema),
  /** Below the backup: one `TABLE.ndjson.gz` for each table. */
  metadata: z.string().refine(isBelow, "leads out of the backup"),
  /** Below the backup: a line of JSON for each file. */
  manifest: z.string().refine(isBelow, "leads out of the backup"),
  /** Of the manifest itself. */
  manifestDigest: digestSchema,
  files: countSchema,
  bytes: countSchema,
});
export type BackupRecord = z.output<typeof recordSchema>;

/** A file of a backup: its path below it, with `/`. */
const fileSchema = z.object({
  path: z.string().refine(isBelow, "leads out of the backup"),
  size: countSchema,
  digest: digestSchema,
});
export type BackedFile = z.output<typeof fileSchema>;

/** @throws BACKUP_FOLDER_UNKNOWN, BACKUP_TOO_NEW */
export async function readRecord(folder: string): Promise<BackupRecord> {
  let found: unknown;
  try {
    found = JSON.parse(await readFile(join(folder, BACKUP_FILE), "utf8"));
  } catch (error) {
    throw backupNotOne({ folder, reason: messageOf(error) }, error);
  }
  const form = z.object({ form: z.string().regex(/^backup\/\d+$/) }).safeParse(found).data?.form;
  if (form !== undefined && form !== BACKUP_FORM) throw backupTooNew({ folder, found: form, known: BACKUP_FORM });
  const { data, error } = recordSchema.safeParse(found);
  if (data === undefined) throw backupNotOne({ folder, reason: `${BACKUP_FILE}: ${sayProblems(error)}` });
  return data;
}

/** The files of a backup. Paths lead nowhere else. @throws BACKUP_DAMAGED */
export async function* readManifest(folder: string, { manifest }: BackupRecord): AsyncGenerator<BackedFile> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(join(folder, manifest)), crlfDelay: Infinity })) {
    const file = `${manifest}:${++number}`;
    let found: unknown;
    try {
      found = JSON.parse(line);
    } catch (error) {
      throw backupDamaged({ file, problem: `is not JSON (${messageOf(error)})` }, error);
    }
    const { data, error } = fileSchema.safeParse(found);
    if (data === undefined) throw backupDamaged({ file, problem: `is wrong: ${sayProblems(error)}` });
    yield data;
  }
}

function sayProblems(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join("; ");
}

function isBelow(path: string): boolean {
  return path !== "" && !path.includes("\0") && !isAbsolute(path) && normalize(path) === path && !path.startsWith("..");
}
