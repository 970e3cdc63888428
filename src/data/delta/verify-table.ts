import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { createDigester, digestOf, isEsteiraError, messageOf } from "#base";
import type { LocalFiles } from "#storage";
import type { Action, AddFile } from "./actions.ts";
import { listLog, type LogListing, logEntryPath, readLogEntry } from "./log-entry.ts";
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

/** A version of a table that is to be there. */
export interface ExpectedVersion {
  readonly deltaVersion: number;
  /** Of its log entry. */
  readonly logDigest?: string | undefined;
}

export interface TableVerifyOptions {
  /** Versions that are kept: a file that none of them reads, nor the newest, may be gone. */
  readonly versions: readonly ExpectedVersion[];
  /** False: files are there with their size, their bytes are not read. */
  readonly readsBytes: boolean;
  /** sha256 of a file of this machine. */
  readonly digestFile: (path: string) => Promise<string>;
  /** Rows of Parquet files, by path; undefined: they are not counted. */
  readonly countRows?: ((path: string) => Promise<number>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onFile?: ((sizeBytes: number) => void) | undefined;
}

/**
 * Reads every log entry and every data file of a Delta table and compares them with what was recorded; also those that
 * a checkpoint hides from readers. Nothing is changed.
 *
 * @returns what is damaged, and how many files were looked at
 */
export async function verifyTable(
  table: Table,
  options: TableVerifyOptions,
): Promise<{ readonly files: number; readonly damages: readonly TableDamage[] }> {
  const log = await listLog(table);
  const held = new Map<string, HeldFile>();
  const expected = new Map(options.versions.map((each) => [each.deltaVersion, each.logDigest]));
  const damages: TableDamage[] = [];
  for (const version of log.entries) {
    const problem = await readEntry(table, { version, wanted: expected.get(version), held });
    const file = `${table.files.place}/${logEntryPath(table, version)}`;
    if (problem !== undefined) damages.push({ file, problem, from: version, until: undefined });
  }
  damages.push(...missingEntries(table, log, expected.keys()));
  const kept = [...expected.keys(), log.entries.at(-1) ?? 0];
  for (const [path, file] of held) {
    options.signal?.throwIfAborted();
    const isKept = kept.some((version) => version >= file.from && version < (file.until ?? Infinity));
    const problem = await problemOf(table, { path, ...file }, options);
    // A vacuum takes what no version reads.
    if (problem === undefined || (problem === MISSING && !isKept)) continue;
    const stored = storedPath(table, path);
    const place = stored === undefined ? absolutePath(table, path) : `${table.files.place}/${stored}`;
    damages.push({ file: place, problem, from: file.from, until: file.until });
  }
  return { files: log.entries.length + held.size, damages };
}

const MISSING = "it is missing";

/** Notes what an entry adds and removes; @returns what is wrong with it */
async function readEntry(
  table: Table,
  of: { readonly version: number; readonly wanted: string | undefined; readonly held: Map<string, HeldFile> },
): Promise<string | undefined> {
  const { version, wanted, held } = of;
  try {
    const entry = await readLogEntry(table, version);
    if (entry === undefined) return undefined;
    for (const action of entry.actions) noteAction(held, action, version);
    const found = digestOf(entry.text);
    return wanted === undefined || wanted === found ? undefined : `it has digest ${found}, ${wanted} was recorded`;
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    return messageOf(error);
  }
}

/** Entries that nobody can read any more, as no checkpoint stands for them. */
function missingEntries(table: Table, log: LogListing, versions: Iterable<number>): readonly TableDamage[] {
  const present = new Set(log.entries);
  return [...versions]
    .filter((version) => !present.has(version) && !log.checkpoints.some((each) => each >= version))
    .map((version) => ({
      file: `${table.files.place}/${logEntryPath(table, version)}`,
      problem: MISSING,
      from: version,
      until: version + 1,
    }));
}

interface HeldFile {
  readonly digest: string | undefined;
  readonly sizeBytes: number;
  readonly rows: number | undefined;
  readonly from: number;
  readonly until: number | undefined;
}

function noteAction(held: Map<string, HeldFile>, action: Action, version: number): void {
  const { add, remove } = action as { readonly add?: AddFile; readonly remove?: { readonly path: string } };
  if (add !== undefined && !held.has(add.path))
    held.set(add.path, {
      digest: add.tags?.[DIGEST_TAG],
      sizeBytes: add.size,
      rows: rowsOf(add.stats),
      from: version,
      until: undefined,
    });
  const removed = remove === undefined ? undefined : held.get(remove.path);
  if (remove !== undefined && removed !== undefined)
    held.set(remove.path, { ...removed, until: removed.until ?? version });
}

function rowsOf(stats: string | null | undefined): number | undefined {
  try {
    const parsed: { readonly numRecords?: unknown } = JSON.parse(stats ?? "{}");
    const { numRecords } = parsed;
    return typeof numRecords === "number" ? numRecords : undefined;
  } catch {
    return undefined;
  }
}

async function problemOf(
  table: Table,
  file: HeldFile & { readonly path: string },
  options: TableVerifyOptions,
): Promise<string | undefined> {
  const stored = storedPath(table, file.path);
  try {
    const local = absolutePath(table, file.path);
    const facts = stored === undefined ? { sizeBytes: (await stat(local)).size } : await table.files.stat(stored);
    if (facts === undefined) return MISSING;
    options.onFile?.(facts.sizeBytes);
    if (facts.sizeBytes !== file.sizeBytes) return `it has ${facts.sizeBytes} bytes, ${file.sizeBytes} were recorded`;
    return (await wrongBytes(table, { ...file, stored, local }, options)) ?? (await wrongRows(table, file, options));
  } catch (error) {
    const isMissing =
      isEsteiraError(error, "STORAGE_FILE_MISSING") ||
      (error instanceof Error && "code" in error && error.code === "ENOENT");
    return isMissing ? MISSING : `it cannot be read: ${messageOf(error)}`;
  }
}

async function wrongBytes(
  table: Table,
  { stored, local, digest }: HeldFile & { readonly stored: string | undefined; readonly local: string },
  { readsBytes, digestFile }: TableVerifyOptions,
): Promise<string | undefined> {
  if (!readsBytes) return undefined;
  const isLocal = stored === undefined || isAbsolute(table.files.place);
  const found = isLocal ? await digestFile(local) : await digestOfStored(table.files, stored);
  return digest === undefined || digest === found ? undefined : `it has digest ${found}, ${digest} was recorded`;
}

async function wrongRows(
  table: Table,
  { path, sizeBytes, rows: recorded }: HeldFile & { readonly path: string },
  { countRows }: TableVerifyOptions,
): Promise<string | undefined> {
  if (countRows === undefined || recorded === undefined) return undefined;
  const stored = storedPath(table, path);
  if (stored !== undefined) await table.files.fetch([{ path: stored, sizeBytes }]);
  const rows = await countRows(absolutePath(table, path));
  return rows === recorded ? undefined : `it has ${rows} rows, ${recorded} were recorded`;
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
