import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "#base";
import { storageFailed, tableCorrupt } from "../errors.ts";
import { type Action, parseActions } from "./actions.ts";

/** Absolute path of a version's log entry. */
export function logEntryPath(table: string, version: number): string {
  return join(table, "_delta_log", `${String(version).padStart(20, "0")}.json`);
}

/** What the log folder holds; undefined when there is none. */
export interface LogListing {
  /** Ascending. */
  readonly entries: readonly number[];
  /** Versions with a whole single-part checkpoint, ascending. */
  readonly checkpoints: readonly number[];
}

export async function listLog(table: string): Promise<LogListing | undefined> {
  let names: string[];
  try {
    names = await readdir(join(table, "_delta_log"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw storageFailed({ operation: "list", path: join(table, "_delta_log"), reason: messageOf(error) }, error);
  }
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
  table: string,
  version: number,
): Promise<{ readonly actions: readonly Action[]; readonly text: string } | undefined> {
  const path = logEntryPath(table, version);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw storageFailed({ operation: "read", path, reason: messageOf(error) }, error);
  }
  try {
    return { actions: parseActions(text), text };
  } catch (error) {
    throw tableCorrupt({ table, reason: `log entry ${version} is not JSON lines (${messageOf(error)})` }, error);
  }
}

/**
 * Writes a log entry if there is none of that version. The entry is whole and on disk before it has its name:
 * `link` is the exclusive primitive, an `open('wx')` that dies would leave half an entry that every reader sees.
 *
 * @returns false when the version exists already
 * @throws DATA_STORAGE_FAILED
 */
export async function putLogEntry(table: string, version: number, text: string): Promise<boolean> {
  const path = logEntryPath(table, version);
  const temporary = join(dirname(path), `.tmp-${randomUUID()}`);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeDurably(temporary, text);
    await link(temporary, path);
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw storageFailed({ operation: "write", path, reason: messageOf(error) }, error);
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

/** Writes a new file and waits until it is on disk. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Waits until a file's content is on disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Waits until a folder's entries are on disk. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}
