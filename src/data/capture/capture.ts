import { newId } from "#base";
import type { MetadataStore, QuarantineBatch, CapturedFile } from "#metadata-store";
import type { ObjectStore } from "#object-store";
import type { MadeVersion } from "#pipeline";
import type { Analytics, AnalyticsConnection, Column } from "../analytics/analytics.ts";
import type { CompiledContract } from "../contract/rules.ts";
import { type HeldRows, storeHeldRows } from "../contract/quarantine-file.ts";
import type { DatasetContent, Datasets, QuarantineSummary, WriteDisposition } from "../dataset.ts";
import { contractBroken, rowsLost } from "../errors.ts";
import { openCsv } from "./csv-source.ts";
import { openJson, openNdjson } from "./json-source.ts";
import { openParquet } from "./parquet-source.ts";
import { formatOf, readIdentity, type SourceFile, type SourceFormat } from "./source-file.ts";
import { type CsvOptions, type SourceRows, UnreadableFile } from "./source-rows.ts";
import { type SchemaMode, type TypedRows, typeRows } from "./typed-rows.ts";
import { textOf } from "../analytics/rows.ts";

/** A source file whose identity was read. */
export interface IdentifiedFile extends SourceFile {
  readonly digest: Awaited<ReturnType<typeof readIdentity>>["digest"];
  readonly lineFeeds: number | undefined;
}

export interface QuarantineLimits {
  readonly rows?: number | undefined;
  readonly percent?: number | undefined;
}

/** One batch of files that becomes one version of a dataset. */
export interface CaptureBatch {
  readonly project: string;
  readonly dataset: string;
  readonly operationId: string;
  readonly follows: readonly string[];
  readonly files: readonly IdentifiedFile[];
  readonly disposition: WriteDisposition;
  /** The records that the SELECT of each file's good rows left out; see {@link watchDroppedRows}. */
  readonly dropped: DroppedRows;
  /** Columns the dataset has; empty before its first version. */
  readonly existing: readonly Column[];
  readonly contract: { readonly path: string; readonly version: string; readonly digest: string; readonly compiled: CompiledContract } | undefined;
  readonly schemaMode: SchemaMode;
  readonly limits: QuarantineLimits;
  readonly format: SourceFormat | undefined;
  readonly csv: CsvOptions;
  readonly workFolder: string;
  readonly run: { readonly pipelineRunId: string; readonly stepRunId: string; readonly attemptId: string };
  readonly provenance: Readonly<Record<string, string>>;
  readonly atMs: number;
  readonly signal: AbortSignal;
  log(text: string): void;
}

export interface CaptureDependencies {
  readonly store: MetadataStore;
  readonly objects: ObjectStore;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
}

export interface Captured {
  readonly made: MadeVersion;
  readonly files: readonly CapturedFile[];
  readonly quarantine: readonly Omit<QuarantineBatch, "held" | "replayed" | "discarded">[];
  readonly warnings: Readonly<Record<string, number>>;
}

/** Records that were left out, by file of the batch that is at work. */
export type DroppedRows = Map<number, Set<number>>;

const WITNESS = "esteira_dropped";
/** Beyond, the file is looked through again: a list of records has to stay shorter than that. */
const MOST_NAMED_RECORDS = 20_000;

/** Lets SQL on the connection note the rows that it leaves out. Once per connection. */
export async function watchDroppedRows(connection: AnalyticsConnection): Promise<DroppedRows> {
  const dropped: DroppedRows = new Map();
  await connection.registerWitness(WITNESS, (file, record) => {
    const records = dropped.get(file);
    if (records === undefined) dropped.set(file, new Set([record]));
    else if (records.size <= MOST_NAMED_RECORDS) records.add(record);
  });
  return dropped;
}

interface ReadFile {
  readonly number: number;
  readonly file: IdentifiedFile;
  readonly format: string;
  readonly rows: SourceRows | undefined;
  readonly typed: TypedRows | undefined;
  readonly problem: string | undefined;
}

/**
 * Reads files, splits their rows by the contract, writes the good ones as one version and keeps the bad ones.
 * A file that cannot be read is held back whole and harms no other.
 *
 * @throws DATA_CONTRACT_BROKEN when a limit or a rule about the dataset fails: nothing is published then
 * @throws DATA_ROWS_LOST when the counts do not add up
 */
export async function captureBatch(dependencies: CaptureDependencies, batch: CaptureBatch, connection: AnalyticsConnection): Promise<Captured> {
  const reads: ReadFile[] = [];
  batch.dropped.clear();
  try {
    for (const [number, file] of batch.files.entries()) reads.push(await readFile(batch, connection, { file, number, known: columnsSoFar(batch, reads) }));
    return await publish(dependencies, batch, connection, reads);
  } finally {
    for (const { rows } of reads) await rows?.close().catch(() => {});
  }
}

/** A dataset without columns takes those of the first file that can be read; the others of the batch are added. */
function columnsSoFar(batch: CaptureBatch, reads: readonly ReadFile[]): readonly Column[] {
  if (batch.disposition !== "replace" && batch.existing.length > 0) return batch.existing;
  return reads.find(({ typed }) => typed !== undefined)?.typed?.columns ?? [];
}

async function readFile(batch: CaptureBatch, connection: AnalyticsConnection, { file, number, known }: { readonly file: IdentifiedFile; readonly number: number; readonly known: readonly Column[] }): Promise<ReadFile> {
  const format = batch.format ?? formatOf(file.path);
  let rows: SourceRows | undefined;
  try {
    if (format === undefined) throw new UnreadableFile("its name does not say the format; name it in capture.format (csv, ndjson, json, parquet)");
    const source = { connection, file, digest: file.digest, lineFeeds: file.lineFeeds, csv: batch.csv, number };
    const open = { csv: openCsv, ndjson: openNdjson, json: openJson, parquet: openParquet }[format];
    rows = await open(source);
    return { number, file, format, rows, typed: typeRows(rows, targetOf(batch, rows, known), (record) => `${WITNESS}(${number}, ${record})`), problem: undefined };
  } catch (error) {
    await rows?.close();
    if (!(error instanceof UnreadableFile)) throw error;
    return { number, file, format: format ?? "unknown", rows: undefined, typed: undefined, problem: error.message };
  }
}

function targetOf(batch: CaptureBatch, rows: SourceRows, known: readonly Column[]): Parameters<typeof typeRows>[1] {
  const declared = batch.contract?.compiled;
  const names = new Map(known.map((column) => [column.name.toLowerCase(), column]));
  const received = new Map(rows.columns.map((column) => [column.name.toLowerCase(), column]));
  const columns: Column[] = [...known];
  for (const [name, type] of declared?.types ?? []) {
    if (!names.has(name.toLowerCase())) columns.push({ name, type });
  }
  // A column that rules speak of, without a type: it has the file's.
  for (const { column } of declared?.rows ?? []) {
    if (column === undefined || columns.some(({ name }) => name.toLowerCase() === column.toLowerCase())) continue;
    columns.push({ name: column, type: received.get(column.toLowerCase())?.type ?? "VARCHAR" });
  }
  return { columns, mode: batch.schemaMode, contract: declared };
}

async function publish(dependencies: CaptureDependencies, batch: CaptureBatch, connection: AnalyticsConnection, reads: readonly ReadFile[]): Promise<Captured> {
  const readable = reads.flatMap(({ typed }) => (typed === undefined ? [] : [typed]));
  const total = reads.reduce((sum, { rows }) => sum + (rows?.total ?? 0), 0);
  let held: ReadonlyMap<ReadFile, HeldRows> | undefined;
  const made = await dependencies.datasets.write({
    project: batch.project,
    asset: batch.dataset,
    operationId: batch.operationId,
    follows: batch.follows,
    disposition: batch.disposition,
    select: selectOf(batch, reads),
    connection,
    provenance: batch.provenance,
    signal: batch.signal,
    beforeCommit: async ({ rowCount, relation }) => {
      held = await holdBack(dependencies, batch, connection, { reads, total, published: rowCount });
      await checkDataset(batch, connection, relation);
      return { quarantine: summarize(total, held), captured: capturedContent(reads, held), disposition: batch.disposition };
    },
  });
  // The rows were published by an earlier attempt: what it held back is computed again.
  held ??= await holdBack(dependencies, batch, connection, { reads, total, published: undefined });
  const warnings = await countWarnings(connection, readable);
  const content: DatasetContent = { ...(made.content as DatasetContent), quarantine: summarize(total, held), captured: capturedContent(reads, held), disposition: batch.disposition };
  return { made: { ...made, content }, files: toLedger(batch, reads, held), quarantine: toBatches(batch, reads, held), warnings };
}

const PROBLEMS_NAMED = 5;

function selectOf(batch: CaptureBatch, reads: readonly ReadFile[]): string {
  const readable = reads.flatMap(({ typed }) => (typed === undefined ? [] : [typed]));
  if (readable.length > 0) return readable.map(({ good }) => good).join(" union all by name ");
  const types = batch.existing.length > 0 ? batch.existing : [...(batch.contract?.compiled.types ?? [])].map(([name, type]) => ({ name, type }));
  if (types.length === 0) {
    const named = reads.flatMap(({ file, problem }) => (problem === undefined ? [] : [`${file.path}: ${problem}`])).slice(0, PROBLEMS_NAMED);
    throw contractBroken({ dataset: batch.dataset, problems: [...named, reads.length === 1 ? "there is no other file, and no contract that says which columns there are" : `none of ${reads.length} files could be read, and no contract says which columns there are`] });
  }
  return `select ${types.map(({ name, type }) => `cast(null as ${type}) as "${name.replaceAll('"', '""')}"`).join(", ")} where false`;
}

/** Every row that was read and not published is kept; most files have none, which their counts tell without another scan. */
async function holdBack(
  dependencies: CaptureDependencies,
  batch: CaptureBatch,
  connection: AnalyticsConnection,
  counts: { readonly reads: readonly ReadFile[]; readonly total: number; readonly published: number | undefined },
): Promise<ReadonlyMap<ReadFile, HeldRows>> {
  const held = new Map<ReadFile, HeldRows>();
  if (counts.published === counts.total) return held;
  for (const read of counts.reads) {
    if (read.typed === undefined) continue;
    const noted = counts.published === undefined ? undefined : (batch.dropped.get(read.number) ?? new Set<number>());
    const records = noted === undefined || noted.size > MOST_NAMED_RECORDS ? undefined : noted;
    const rows = await storeHeldRows(connection, dependencies.objects, read.typed.bad(records), batch.workFolder);
    if (rows.count > 0) held.set(read, rows);
  }
  const quarantined = sumOf(held);
  if (counts.published !== undefined && counts.published + quarantined !== counts.total) throw rowsLost({ dataset: batch.dataset, read: counts.total, published: counts.published, quarantined });
  assertWithinLimits(batch, counts.total, quarantined);
  return held;
}

function sumOf(held: ReadonlyMap<ReadFile, HeldRows>): number {
  return [...held.values()].reduce((sum, { count }) => sum + count, 0);
}

function assertWithinLimits(batch: CaptureBatch, total: number, quarantined: number): void {
  const percent = total === 0 ? 0 : (100 * quarantined) / total;
  const problems: string[] = [];
  if (batch.limits.rows !== undefined && quarantined > batch.limits.rows) problems.push(`${quarantined} of ${total} rows break the contract, at most ${batch.limits.rows} may`);
  if (batch.limits.percent !== undefined && percent > batch.limits.percent) problems.push(`${percent.toFixed(3)} percent of ${total} rows break the contract, at most ${batch.limits.percent} may`);
  if (problems.length > 0) throw contractBroken({ dataset: batch.dataset, problems });
}

/** Rules about the dataset are checked on what it would hold. Warnings are said and let pass. */
async function checkDataset(batch: CaptureBatch, connection: AnalyticsConnection, relation: string): Promise<void> {
  const problems: string[] = [];
  for (const rule of batch.contract?.compiled.dataset ?? []) {
    const [row] = await connection.rows(`select value, coalesce(${rule.holds}, false) as holds from (${rule.measure(relation)})`);
    if (row?.["holds"] === true) continue;
    const found = `${rule.id}: ${rule.expectation}, but it is ${textOf(row?.["value"] ?? "nothing")}`;
    if (rule.severity === "error") problems.push(found);
    else batch.log(`warning: ${found}`);
  }
  if (problems.length > 0) throw contractBroken({ dataset: batch.dataset, problems });
}

async function countWarnings(connection: AnalyticsConnection, readable: readonly TypedRows[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { warnings } of readable) {
    for (const [id, select] of warnings) counts[id] = (counts[id] ?? 0) + Number((await connection.rows(select))[0]?.["n"]);
  }
  return counts;
}

function summarize(total: number, held: ReadonlyMap<ReadFile, HeldRows>): QuarantineSummary {
  const rules: Record<string, number> = {};
  for (const rows of held.values()) for (const [rule, count] of Object.entries(rows.rules)) rules[rule] = (rules[rule] ?? 0) + count;
  const quarantined = sumOf(held);
  return { read: total, published: total - quarantined, quarantined, rules };
}

function capturedContent(reads: readonly ReadFile[], held: ReadonlyMap<ReadFile, HeldRows>): NonNullable<DatasetContent["captured"]> {
  return reads.map((read) => ({ path: read.file.path, digest: read.file.digest, rows: (read.rows?.total ?? 0) - (held.get(read)?.count ?? 0) }));
}

function toLedger(batch: CaptureBatch, reads: readonly ReadFile[], held: ReadonlyMap<ReadFile, HeldRows>): CapturedFile[] {
  return reads.map((read) => {
    const rowsRead = read.rows?.total ?? 0;
    const rowsQuarantined = held.get(read)?.count ?? 0;
    const { digest, path, sizeBytes, mtimeMs } = read.file;
    return { project: batch.project, dataset: batch.dataset, digest, path, sizeBytes, mtimeMs, rowsRead, rowsPublished: rowsRead - rowsQuarantined, rowsQuarantined, stepRunId: batch.run.stepRunId, atMs: batch.atMs };
  });
}

function toBatches(batch: CaptureBatch, reads: readonly ReadFile[], held: ReadonlyMap<ReadFile, HeldRows>): Captured["quarantine"] {
  return reads.flatMap((read) => {
    const rows = held.get(read);
    if (rows === undefined && read.problem === undefined) return [];
    const { contract } = batch;
    return [
      {
        id: newId(batch.atMs),
        project: batch.project,
        dataset: batch.dataset,
        sourcePath: read.file.path,
        sourceDigest: read.file.digest,
        sourceFormat: read.format,
        fileProblem: read.problem,
        rows: rows?.count ?? 0,
        objectDigest: rows?.object,
        rules: rows?.rules ?? {},
        contract: contract === undefined ? undefined : { path: contract.path, version: contract.version, digest: contract.digest },
        ...batch.run,
        atMs: batch.atMs,
      },
    ];
  });
}
