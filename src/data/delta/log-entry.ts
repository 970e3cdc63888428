import { isEsteiraError, messageOf } from "#base";
import { storageFailed, tableCorrupt } from "../errors.ts";
import { type Action, parseActions } from "./actions.ts";
import type { Table } from "./table.ts";

/** Path of a version's log entry among the stored files. */
export function logEntryPath({ path }: Pick<Table, "path">, version: number): string {
  return `${path}/_delta_log/${String(version).padStart(20, "0")}.json`;
}

/** What the log holds. */
export interface LogListing {
  /** Ascending. */
  readonly entries: readonly number[];
  /** Versions with a whole single-part checkpoint, ascending. */
  readonly checkpoints: readonly number[];
}

/** @throws DATA_STORAGE_FAILED */
export async function listLog(table: Table): Promise<LogListing> {
  const folder = `${table.path}/_delta_log`;
  const names = await stored("list", table, folder, () => table.files.names(folder));
  const numbers = (pattern: RegExp): number[] =>
    names
      .flatMap((name) => (pattern.test(name) ? [Number.parseInt(name, 10)] : []))
      .sort((left, right) => left - right);
  return { entries: numbers(/^\d{20}\.json$/), checkpoints: numbers(/^\d{20}\.checkpoint\.parquet$/) };
}

/**
 * Actions of one version and the entry's exact text; undefined when there is none. @throws DATA_TABLE_CORRUPT,
 * DATA_STORAGE_FAILED
 */
export async function readLogEntry(
  table: Table,
  version: number,
): Promise<{ readonly actions: readonly Action[]; readonly text: string } | undefined> {
  const path = logEntryPath(table, version);
  const found = await stored("read", table, path, () => table.files.get(path));
  if (found === undefined) return undefined;
  const text = found.bytes.toString();
  try {
    return { actions: parseActions(text), text };
  } catch (error) {
    const reason = `log entry ${version} is not JSON lines (${messageOf(error)})`;
    throw tableCorrupt({ table: table.place, reason }, error);
  }
}

/**
 * Writes a log entry if there is none of that version; whole and durable before it has its name.
 *
 * @returns false when the version exists already
 * @throws DATA_STORAGE_FAILED
 */
export async function putLogEntry(table: Table, version: number, text: string): Promise<boolean> {
  const path = logEntryPath(table, version);
  return (await stored("write", table, path, () => table.files.put(path, text, "absent"))) !== undefined;
}

/** What keeps the storage from being reached has an error of its own; anything else failed while the log was used. */
async function stored<Result>(
  operation: string,
  table: Table,
  path: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (isEsteiraError(error) && error.code !== "STORAGE_FAILED") throw error;
    throw storageFailed({ operation, path: `${table.files.place}/${path}`, reason: reasonOf(error) }, error);
  }
}

function reasonOf(error: unknown): string {
  return isEsteiraError(error) && typeof error.context["reason"] === "string"
    ? error.context["reason"]
    : messageOf(error);
}
