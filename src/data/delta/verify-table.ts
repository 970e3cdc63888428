import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isEsteiraError, messageOf } from "#base";
import { digestOfFile } from "#storage";
import type { Action, AddFile } from "./actions.ts";
import { DIGEST_TAG } from "./data-file.ts";
import { listLog, logEntryPath, readLogEntry } from "./log-entry.ts";

/** A file of a Delta table that is not what was written. */
export interface TableDamage {
  /** Absolute. */
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
 * @param table absolute folder
 * @returns what is damaged, and how many files were looked at
 */
export async function verifyTable(
  table: string,
): Promise<{ readonly files: number; readonly damages: readonly TableDamage[] }> {
  const log = await listLog(table);
  const damages: TableDamage[] = [];
  const held = new Map<string, HeldFile>();
  for (const version of log?.entries ?? []) {
    try {
      for (const action of (await readLogEntry(table, version))?.actions ?? []) noteAction(held, action, version);
    } catch (error) {
      if (!isEsteiraError(error)) throw error;
      damages.push({ file: logEntryPath(table, version), problem: messageOf(error), from: version, until: undefined });
    }
  }
  for (const [path, { digest, from, until }] of held) {
    const file = path.startsWith("/") ? path : join(table, path);
    const problem = await problemOf(file, digest);
    if (problem !== undefined) damages.push({ file, problem, from, until });
  }
  return { files: (log?.entries.length ?? 0) + held.size, damages };
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

async function problemOf(file: string, digest: string | undefined): Promise<string | undefined> {
  try {
    const found = await digestOfFile(file);
    return digest === undefined || digest === found ? undefined : `it has digest ${found}, ${digest} was recorded`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT"
      ? "it is missing"
      : `it cannot be read: ${messageOf(error)}`;
  }
}

/** Folders below `folder` that hold a Delta table, relative to it. */
export async function listTables(folder: string, below = ""): Promise<readonly string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => []);
  if (entries.some((entry) => entry.isDirectory() && entry.name === "_delta_log")) return [below];
  const nested = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => listTables(folder, join(below, entry.name))),
  );
  return nested.flat().sort();
}
