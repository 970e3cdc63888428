import { access } from "node:fs/promises";
import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import type { CaptureBatch, HeldFile, IdentifiedFile } from "./capture.ts";
import type { CompiledContract } from "../contract/rules.ts";
import { formatOfColumn } from "../contract/value-format.ts";
import { nameColumns } from "./column-names.ts";
import type { FilesTogether, Together } from "./formats/files-together.ts";
import { FORMATS } from "./formats/formats.ts";
import { formatOf, type SourceFormat } from "./source-file.ts";
import { type OpenFile, type SourceColumn, type SourceRows, UnreadableFile } from "./formats/source-rows.ts";
import { findTypeChanges, mayHaveChanged } from "./type-change.ts";
import { type TypedRows, typeRows, type Witness } from "./typed-rows.ts";
import { isReplacing, neededColumns } from "../write-disposition.ts";

/** A file of a batch, open. */
export interface ReadFile {
  readonly number: number;
  readonly file: IdentifiedFile;
  readonly format: string;
  readonly rows: SourceRows | undefined;
  /** Undefined when the file is held back whole. */
  readonly typed: FileTyped | undefined;
  readonly problem: HeldFile | undefined;
}

/** Typed rows of one file. */
export interface FileTyped extends Pick<TypedRows, "columns" | "originals" | "bad"> {
  readonly part: FilesPart;
}

/** Files whose rows are selected together. */
export interface FilesPart {
  /** SELECT of the good rows of some of the files. */
  good(numbers: readonly number[]): string;
  /** SELECT of columns of the rows that break a rule, as they would be stored. */
  held(numbers: readonly number[], columns: readonly string[]): string | undefined;
  warnings(numbers: readonly number[]): TypedRows["warnings"];
  treated(numbers: readonly number[]): TypedRows["treated"];
  measured(numbers: readonly number[]): TypedRows["measured"];
  distinguished(numbers: readonly number[]): TypedRows["distinguished"];
  /**
   * In words, what has other types than the dataset in which of the files; those that were opened alone were looked at
   * then.
   *
   * @param numbers files of which some rows were left out
   */
  findChanges(numbers: readonly number[]): Promise<ReadonlyMap<number, string>>;
}

/** Opens the files of a batch, in order. Small files of one kind behind each other are read together. */
export async function readFiles(
  batch: CaptureBatch,
  connection: AnalyticsConnection,
  witness: Witness,
): Promise<ReadFile[]> {
  const reads: ReadFile[] = [];
  const reading = { batch, connection, witness };
  try {
    while (reads.length < batch.files.length) {
      const known = columnsSoFar(batch, reads);
      const rest = batch.files.slice(reads.length).map((file, index) => ({ file, number: reads.length + index }));
      reads.push(...(await readNext(reading, rest, known)));
    }
    return reads;
  } catch (error) {
    await closeFiles(reads);
    throw error;
  }
}

/** Files that were read together are closed together. */
export async function closeFiles(reads: readonly ReadFile[]): Promise<void> {
  for (const close of new Set(reads.flatMap(({ rows }) => rows?.close ?? []))) await close().catch(() => {});
}

interface Reading {
  readonly batch: CaptureBatch;
  readonly connection: AnalyticsConnection;
  readonly witness: Witness;
}

type NumberedFile = Pick<ReadFile, "file" | "number">;

async function readNext(
  reading: Reading,
  rest: readonly NumberedFile[],
  known: readonly Column[],
): Promise<readonly ReadFile[]> {
  const [first] = rest as [NumberedFile];
  // The first file of a new dataset says which columns there are, and of which types.
  const together = known.length === 0 ? undefined : await findTogether(reading, rest);
  return together === undefined
    ? [await readFile(reading, first, known)]
    : readTogether(reading, rest.slice(0, together.count), { together, known });
}

async function findTogether({ batch }: Reading, rest: readonly NumberedFile[]): Promise<Together | undefined> {
  const formatOfFile = ({ file }: NumberedFile): SourceFormat | undefined =>
    file.format ?? batch.format ?? formatOf(file.path);
  const [first] = rest as [NumberedFile];
  const format = formatOfFile(first);
  if (first.file.unreadable !== undefined) return undefined;
  const others = rest.findIndex((one) => formatOfFile(one) !== format || one.file.unreadable !== undefined);
  const same = others < 0 ? rest : rest.slice(0, others);
  const isByFile = batch.schemaMode === "freeze" || batch.schemaMode === "discard_row";
  return format === undefined ? undefined : FORMATS[format].together?.(same, { csv: batch.csv, isByFile });
}

/** A dataset without columns takes those of the first file that can be read; the others of the batch are added. */
function columnsSoFar(batch: CaptureBatch, reads: readonly ReadFile[]): readonly Column[] {
  if (!isReplacing(batch.disposition) && batch.existing.length > 0) return batch.existing;
  return reads.find(({ typed }) => typed !== undefined)?.typed?.columns ?? [];
}

function sourceOf({ batch, connection }: Reading, { file, number }: NumberedFile): OpenFile {
  return { connection, file, digest: file.digest, lineFeeds: file.lineFeeds, csv: batch.csv, number };
}

async function readFile(reading: Reading, one: NumberedFile, known: readonly Column[]): Promise<ReadFile> {
  const { batch, connection, witness } = reading;
  const format = one.file.format ?? batch.format ?? formatOf(one.file.path);
  let rows: SourceRows | undefined;
  try {
    if (one.file.unreadable !== undefined) throw new UnreadableFile(one.file.unreadable);
    if (format === undefined)
      throw new UnreadableFile(
        "its name does not say the format; name it in capture.format (csv, ndjson, json, parquet, xlsx)",
      );
    rows = await FORMATS[format].open(sourceOf(reading, one));
    const named = nameColumns(rows, known);
    const typed = typeRows(named, targetOf(batch, named, known), witness);
    const changes = batch.keepsRows
      ? undefined
      : await findTypeChanges(connection, changesOf(batch, { rows: named, typed, known }));
    const part: FilesPart = {
      good: () => typed.good,
      held: (_, names) => typed.held(names),
      warnings: () => typed.warnings,
      treated: () => typed.treated,
      measured: () => typed.measured,
      distinguished: () => typed.distinguished,
      findChanges: () => Promise.resolve(new Map()),
    };
    if (changes === undefined) return { ...one, format, rows: named, typed: { ...typed, part }, problem: undefined };
    return { ...one, format, rows: named, typed: undefined, problem: changedTypes(batch, changes) };
  } catch (error) {
    await rows?.close();
    if (!(error instanceof UnreadableFile)) throw error;
    const problem = (await isGone(one.file)) ? GONE : unreadable(error);
    return { ...one, format: format ?? "unknown", rows: undefined, typed: undefined, problem };
  }
}

const TEMPORAL = /^(DATE|TIMESTAMP)/;
const NUMERIC = /^(TINYINT|SMALLINT|INTEGER|BIGINT|DOUBLE|FLOAT|DECIMAL)/;

/** How a file writes a column whose type the contract says, and not the format. */
function writtenAs(
  contract: CompiledContract | undefined,
  { name, type }: Column,
  received: ReadonlyMap<string, SourceColumn>,
): Pick<Column, "format"> {
  const { nearly, ...column } = received.get(name.toLowerCase()) ?? {};
  const { format, type: seen } = { ...column, ...nearly };
  if (format === undefined || seen === undefined || contract?.formats.has(name.toLowerCase()) === true) return {};
  const isAlike = TEMPORAL.test(seen)
    ? TEMPORAL.test(type) && !(type === "DATE" && seen !== "DATE")
    : NUMERIC.test(type);
  return isAlike && formatOfColumn(format, type) !== undefined ? { format } : {};
}

/** A file whose types are others than the dataset's. */
export function changedTypes(batch: CaptureBatch, reason: string): HeldFile {
  return { reason, isRetried: true, blocks: hasLimits(batch) };
}

export function hasLimits({ limits }: CaptureBatch): boolean {
  return limits.rows !== undefined || limits.percent !== undefined;
}

/** Its content was never read: the file is captured when it is there again. */
const GONE: HeldFile = {
  reason: "the file is gone since this run found it",
  isRetried: true,
  blocks: false,
};

async function isGone({ absolute }: IdentifiedFile): Promise<boolean> {
  try {
    await access(absolute);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function unreadable(error: UnreadableFile): HeldFile {
  return { reason: error.message, isRetried: false, blocks: false };
}

function changesOf(
  batch: CaptureBatch,
  of: { readonly rows: SourceRows; readonly typed: TypedRows; readonly known: readonly Column[] },
): Parameters<typeof findTypeChanges>[1] {
  return { ...of, dataset: batch.dataset, contract: batch.contract?.path };
}

/** Half of the files at a time, when one of them cannot be read: the others share its trouble only so far. */
async function readTogether(
  reading: Reading,
  files: readonly NumberedFile[],
  of: { readonly together: Together; readonly known: readonly Column[] },
): Promise<readonly ReadFile[]> {
  const [first] = files as [NumberedFile];
  if (files.length === 1) return [await readFile(reading, first, of.known)];
  let opened: FilesTogether;
  try {
    opened = await of.together.open(files.map((file) => sourceOf(reading, file)));
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    const half = Math.ceil(files.length / 2);
    const former = await readTogether(reading, files.slice(0, half), of);
    return [...former, ...(await readTogether(reading, files.slice(half), of))];
  }
  try {
    return await typeTogether(reading, files, { opened, known: of.known });
  } catch (error) {
    await opened.close();
    if (!(error instanceof UnreadableFile)) throw error;
    const problem = unreadable(error);
    return files.map((one) => ({
      ...one,
      format: opened.rowsOfAll([]).format,
      rows: undefined,
      typed: undefined,
      problem,
    }));
  }
}

/** @throws UnreadableFile when their columns are not what is asked for */
async function typeTogether(
  reading: Reading,
  files: readonly NumberedFile[],
  { opened, known }: { readonly opened: FilesTogether; readonly known: readonly Column[] },
): Promise<readonly ReadFile[]> {
  const { batch, witness } = reading;
  const numbers = files.map(({ number }) => number);
  const all = opened.rowsOfAll(numbers);
  const untyped = nameColumns(all, known);
  const knownNames = new Set(known.map(({ name }) => name.toLowerCase()));
  // What the values of a known column look like matters only where they cannot be read.
  const named = untyped.columns.every(({ name }) => knownNames.has(name.toLowerCase()))
    ? untyped
    : nameColumns({ ...all, columns: await opened.inferTypes(all) }, known);
  const target = targetOf(batch, named, known);
  const { originals, value, isTextValue } = named;
  const spelling = { originals, value, ...(isTextValue === undefined ? {} : { isTextValue }) };
  const type = (rows: SourceRows, columns = named.columns): TypedRows =>
    typeRows({ ...rows, ...spelling, columns }, target, witness);
  const { columns } = type(all);
  const part: FilesPart = {
    good: (some) => type(opened.rowsOfAll(some)).good,
    held: (some, names) => type(opened.rowsOfAll(some)).held(names),
    warnings: (some) => type(opened.rowsOfAll(some)).warnings,
    treated: (some) => type(opened.rowsOfAll(some)).treated,
    measured: (some) => type(opened.rowsOfAll(some)).measured,
    distinguished: (some) => type(opened.rowsOfAll(some)).distinguished,
    findChanges: (some) => findChanges(reading, some, { opened, known, type }),
  };
  return files.map(({ file, number }): ReadFile => {
    const rows = opened.rowsOf(number);
    const bad = (records?: Iterable<number>): string => type(rows).bad(records);
    return { number, file, format: rows.format, rows, typed: { columns, originals, bad, part }, problem: undefined };
  });
}

async function findChanges(
  { batch, connection }: Reading,
  numbers: readonly number[],
  of: {
    readonly opened: FilesTogether;
    readonly known: readonly Column[];
    readonly type: (rows: SourceRows, columns?: readonly Column[]) => TypedRows;
  },
): Promise<ReadonlyMap<number, string>> {
  const { opened, known, type } = of;
  const found = new Map<number, string>();
  const suspects = await mayHaveChanged(connection, opened.rowsOfAll(numbers), type(opened.rowsOfAll(numbers)).casts);
  for (const number of suspects) {
    const rows = opened.rowsOf(number);
    const named = nameColumns({ ...rows, columns: await opened.inferTypes(rows) }, known);
    const changes = await findTypeChanges(
      connection,
      changesOf(batch, { rows: named, typed: type(rows, named.columns), known }),
    );
    if (changes !== undefined) found.set(number, changes);
  }
  return found;
}

function targetOf(batch: CaptureBatch, rows: SourceRows, known: readonly Column[]): Parameters<typeof typeRows>[1] {
  const declared = batch.contract?.compiled;
  const names = new Map(known.map((column) => [column.name.toLowerCase(), column]));
  const received = new Map(rows.columns.map((column) => [column.name.toLowerCase(), column]));
  const columns: Column[] = [...known];
  for (const [name, type] of declared?.types ?? []) {
    if (!names.has(name.toLowerCase())) columns.push({ name, type, ...writtenAs(declared, { name, type }, received) });
  }
  // A column that rules speak of, without a type: it has the file's.
  for (const { column } of declared?.rows ?? []) {
    if (column === undefined || columns.some(({ name }) => name.toLowerCase() === column.toLowerCase())) continue;
    columns.push({ name: column, type: received.get(column.toLowerCase())?.type ?? "VARCHAR" });
  }
  // Files are held back whole for it: they can be corrected.
  const keys = batch.keepsRows ? neededColumns(batch.disposition) : [];
  const { hashes, duplicates } = batch;
  return {
    columns,
    mode: batch.schemaMode,
    contract: declared,
    hashes,
    keys,
    isDuplicate: duplicates?.isDuplicate,
  };
}
