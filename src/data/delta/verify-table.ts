import { createDigester, isEsteiraError, messageOf } from "#base";
import { digestOfFile, type LocalFiles } from "#storage";
import type { Action, AddFile } from "./actions.ts";
import { listLog, logEntryPath, readLogEntry } from "./log-entry.ts";
import { absolutePath, DIGEST_TAG, storedPath, type Table } from "./table.ts";

/** A file of a Delta table that is not what was written. */
export interface TableDamage {
  /** Absolute, or `s3://…`. */
  readonly file: string;
  readonly problem: string;
  /** Versions of the table that hold it: from the first on, up to before the second where there is one. */
  readonly from: number;
  readonly until: number | undefined;
}

/**
 * Reads every log entry and every data file of a Delta table and compares them with what was recorded; also those that
 * a checkpoint hides from readers. Nothing is changed.
 *
 * @returns what is damaged, and how many files were looked at
 */
export async function verifyTable(
  table: Table,
): Promise<{ readonly files: number; readonly damages: readonly TableDamage[] }> {
  const log = await listLog(table);
  const damages: TableDamage[] = [];
  const held = new Map<string, HeldFile>();
  for (const version of log.entries) {
    try {
      for (const action of (await readLogEntry(table, version))?.actions ?? []) noteAction(held, action, version);
    } catch (error) {
      if (!isEsteiraError(error)) throw error;
      damages.push({
        file: `${table.files.place}/${logEntryPath(table, version)}`,
        problem: messageOf(error),
        from: version,
        until: undefined,
      });
    }
  }
  for (const [path, { digest, from, until }] of held) {
    const stored = storedPath(table, path);
    const problem = await problemOf(table, { stored, path, digest });
    const file = stored === undefined ? absolutePath(table, path) : `${table.files.place}/${stored}`;
    if (problem !== undefined) damages.push({ file, problem, from, until });
  }
  return { files: log.entries.length + held.size, damages };
}

interface HeldFile {
  readonly digest: string | undefined;
  readonly from: number;
  readonly until: number | undefined;
}

function noteAction(held: Map<string, HeldFile>, action: Action, version: number): void {
  const { add, remove } = action as { readonly add?: AddFile; readonly remove?: { readonly path: string } };
  if (add !== undefined && !held.has(add.path))
    held.set(add.path, { digest: add.tags?.[DIGEST_TAG], from: version, until: undefined });
  const removed = remove === undefined ? undefined : held.get(remove.path);
  if (remove !== undefined && removed !== undefined)
    held.set(remove.path, { ...removed, until: removed.until ?? version });
}

async function problemOf(
  table: Table,
  of: { readonly stored: string | undefined; readonly path: string; readonly digest: string | undefined },
): Promise<string | undefined> {
  const { stored, digest } = of;
  try {
    const found =
      stored === undefined
        ? await digestOfFile(absolutePath(table, of.path))
        : await digestOfStored(table.files, stored);
    return digest === undefined || digest === found ? undefined : `it has digest ${found}, ${digest} was recorded`;
  } catch (error) {
    const isMissing =
      isEsteiraError(error, "STORAGE_FILE_MISSING") ||
      (error instanceof Error && "code" in error && error.code === "ENOENT");
    return isMissing ? "it is missing" : `it cannot be read: ${messageOf(error)}`;
  }
}

/** Read where it is stored, not from a cache. */
async function digestOfStored(files: LocalFiles, path: string): Promise<string> {
  const opened = await files.open(path);
  const digester = createDigester();
  try {
    for await (const piece of opened.read()) digester.update(piece);
    return digester.digest();
  } finally {
    await opened.close();
  }
}

/** Paths of the Delta tables among stored files. */
export async function listTables(files: LocalFiles, below = ""): Promise<readonly string[]> {
  const folders = (await files.entries(below)).filter(({ isFolder }) => isFolder);
  if (folders.some(({ name }) => name === "_delta_log")) return [below];
  const nested = await Promise.all(
    folders.map(({ name }) => listTables(files, below === "" ? name : `${below}/${name}`)),
  );
  return nested.flat().sort();
}
