import { type Digest, formatQuantity, type Json, newId } from "#base";
import type { MetadataStore } from "#metadata-store";
import type { CapturedFile, CapturedFileState, NewQuarantineBatch } from "#metadata-store/data";
import type { Blobs } from "#storage";
import type { MadeVersion } from "#pipeline";
import type { Analytics, AnalyticsConnection, Column } from "../analytics/analytics.ts";
import type { CompiledContract } from "../contract/rules.ts";
import { checkDataset, type CheckedDataset, checksFound, type DatasetChecks } from "../contract/check-dataset.ts";
import { referredSpread } from "../contract/recorded-bounds.ts";
import { measuredVersions } from "../contract/measured-versions.ts";
import type { KeyedHashes } from "../contract/keyed-hash.ts";
import { type HeldRows, storeHeldRows } from "../contract/quarantine-file.ts";
import type { DatasetContent, Datasets, QuarantineSummary, WholeSource, WriteDisposition } from "../dataset.ts";
import { deletesMissing, describeMerged, isReplacing, keysOf } from "../write-disposition.ts";
import { contractBroken, rowsLost } from "../errors.ts";
import { changedTypes, closeFiles, type FilesPart, hasLimits, type ReadFile, readFiles } from "./read-files.ts";
import { type BatchParts, countTreated, countWarnings, describeBounds, findBounds } from "./batch-treatments.ts";
import type { DuplicateRows } from "./duplicate-rows.ts";
import { formatOf, type readIdentity, type SourceFile, type SourceFormat } from "./source-file.ts";
import { goneKeys } from "./gone-keys.ts";
import type { GoneRows } from "./sources/source.ts";
import type { CsvOptions } from "./formats/source-rows.ts";
import type { SchemaMode } from "./typed-rows.ts";

/** A source file whose identity was read. */
export interface IdentifiedFile extends SourceFile {
  readonly digest: Awaited<ReturnType<typeof readIdentity>>["digest"];
  readonly lineFeeds: number | undefined;
  /** Size of the file that it was made of, where it was unpacked or rewritten. */
  readonly givenBytes?: number;
  /** Why it cannot be read at all. */
  readonly unreadable?: string;
  /** What the same file brought before, and what goes when its rows are published. */
  readonly supersedes: readonly CapturedFile[];
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
  /** Where the reading of the source ended; undefined for sources that have no such place. */
  readonly cursor: Json | undefined;
  /** Rows that the source says are gone. */
  readonly gone: GoneRows | undefined;
  /** Columns the dataset has; empty before its first version. */
  readonly existing: readonly Column[];
  readonly contract:
    | { readonly path: string; readonly version: string; readonly digest: string; readonly compiled: CompiledContract }
    | undefined;
  /** SQL functions on the connection that the contract hashes with. */
  readonly hashes: KeyedHashes;
  /** Rows that are left out because others are the same; undefined where the contract leaves none out. */
  readonly duplicates: DuplicateRows | undefined;
  readonly schemaMode: SchemaMode;
  readonly limits: QuarantineLimits;
  /** The source has nothing to hold back but rows. */
  readonly keepsRows: boolean;
  /** A source with rows of which none can be published is no mistake. */
  readonly allowEmpty: boolean;
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
  readonly objects: Blobs;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
}

/** A file that was held back whole. */
export interface HeldFile {
  readonly reason: string;
  /**
   * Its content breaks what was declared (a limit, a rule about the dataset, a type), so it is tried again by every
   * run; other files cannot be read at all.
   */
  readonly isRetried: boolean;
  /** What was declared says that nobody may build on a dataset without it. */
  readonly blocks: boolean;
}

export interface Captured {
  /** Undefined when no row of the batch could be published. */
  readonly made: MadeVersion | undefined;
  readonly files: readonly CapturedFile[];
  readonly quarantine: readonly NewQuarantineBatch[];
  /** Entries of the ledger that go: the same files have other content now. */
  readonly superseded: readonly CapturedFile[];
  /** Rows that went with them. */
  readonly supersededRows: number;
  readonly heldFiles: readonly (HeldFile & { readonly path: string })[];
  /** Why rows were held back, with samples, by path of the file. */
  readonly explanations: ReadonlyMap<string, string>;
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
    return false;
  });
  return dropped;
}

/** Files of the batch turn out to be unfit while it is written: it is written again without them. */
class FilesUnfit extends Error {
  override readonly name = "FilesUnfit";
  readonly files: ReadonlyMap<ReadFile, HeldFile>;

  constructor(files: ReadonlyMap<ReadFile, HeldFile>) {
    super("files are held back whole");
    this.files = files;
  }
}

/** Every row of the batch breaks a rule. */
class NothingToPublish extends Error {
  override readonly name = "NothingToPublish";
  readonly held: ReadonlyMap<ReadFile, HeldRows>;

  constructor(held: ReadonlyMap<ReadFile, HeldRows>) {
    super("no row can be published");
    this.held = held;
  }
}

/**
 * Reads files, splits their rows by the contract, writes the good ones as one version and keeps the bad ones.
 * A file that cannot be read, or breaks a limit by itself, is held back whole and harms no other.
 *
 * @throws DATA_CONTRACT_BROKEN when a limit or a rule about the dataset fails that no single file is to blame for:
 *   nothing is published then
 * @throws DATA_ROWS_LOST when the counts do not add up
 */
export async function captureBatch(
  dependencies: CaptureDependencies,
  batch: CaptureBatch,
  connection: AnalyticsConnection,
): Promise<Captured> {
  let reads = await readFiles(batch, connection, (file, record) => `${WITNESS}(${file}, ${record})`);
  try {
    for (;;) {
      batch.dropped.clear();
      assertNoneHeldWhole(batch, reads);
      if (isFruitless(batch, reads))
        return toCaptured(batch, reads, { made: undefined, held: new Map(), supersededRows: 0, warnings: {} });
      try {
        return await publish(dependencies, batch, connection, reads);
      } catch (error) {
        if (error instanceof NothingToPublish)
          return toCaptured(batch, reads, { made: undefined, held: error.held, supersededRows: 0, warnings: {} });
        if (!(error instanceof FilesUnfit)) throw error;
        reads = reads.map((read) =>
          error.files.has(read) ? { ...read, typed: undefined, problem: error.files.get(read) } : read,
        );
      }
    }
  } finally {
    await closeFiles(reads);
  }
}

/** A batch of one file that broke a rule about the dataset: the file is held back whole. */
export function holdWhole(batch: CaptureBatch, reason: string): Captured {
  const problem: HeldFile = { reason, isRetried: true, blocks: true };
  const reads = batch.files.map((file, number): ReadFile => ({
    number,
    file,
    format: file.format ?? batch.format ?? formatOf(file.path) ?? "unknown",
    rows: undefined,
    typed: undefined,
    problem,
  }));
  return toCaptured(batch, reads, { made: undefined, held: new Map(), supersededRows: 0, warnings: {} });
}

/** What nobody can read again is held row by row, or not taken at all. @throws DATA_CONTRACT_BROKEN */
function assertNoneHeldWhole({ keepsRows, dataset }: CaptureBatch, reads: readonly ReadFile[]): void {
  const problems = keepsRows ? reads.flatMap(({ problem }) => problem?.reason ?? []) : [];
  if (problems.length > 0) throw contractBroken({ dataset, problems });
}

/** True when there is something in the files, and none of them can be read. */
function isFruitless(batch: CaptureBatch, reads: readonly ReadFile[]): boolean {
  return (
    !batch.allowEmpty && reads.every(({ typed }) => typed === undefined) && reads.some(({ file }) => file.sizeBytes > 0)
  );
}

function totalOf({ typed, rows }: ReadFile): number {
  return typed === undefined ? 0 : (rows?.total ?? 0);
}

async function publish(
  dependencies: CaptureDependencies,
  batch: CaptureBatch,
  connection: AnalyticsConnection,
  reads: readonly ReadFile[],
): Promise<Captured> {
  const readable = reads.flatMap(({ typed }) => (typed === undefined ? [] : [typed]));
  const total = reads.reduce((sum, read) => sum + totalOf(read), 0);
  const superseded = reads.flatMap(({ typed, file }) => (typed === undefined ? [] : file.supersedes));
  const { treated, bounds } = await treatBatch(dependencies, batch, connection, byPart(reads));
  const distinct = total - (batch.duplicates?.total ?? 0);
  let held: ReadonlyMap<ReadFile, HeldRows> | undefined;
  let supersededRows: number | undefined;
  const describe = (
    rows: ReadonlyMap<ReadFile, HeldRows>,
    gone: number,
  ): NonNullable<Parameters<Datasets["write"]>[0]["content"]> => ({
    quarantine: summarize(total, rows, batch.duplicates?.total),
    captured: capturedContent(batch, reads, rows),
    disposition: isReplacing(batch.disposition) ? "replace" : batch.disposition,
    ...(Object.keys(treated).length === 0 ? {} : { treated }),
    ...(Object.keys(bounds).length === 0 ? {} : { bounds }),
    ...(batch.cursor === undefined ? {} : { cursor: batch.cursor }),
    ...(superseded.length === 0
      ? {}
      : {
          superseded: { files: superseded.map(({ path, digest }) => ({ path, digest: digest as Digest })), rows: gone },
        }),
  });
  const made = await dependencies.datasets.write({
    project: batch.project,
    asset: batch.dataset,
    operationId: batch.operationId,
    follows: batch.follows,
    disposition: batch.disposition,
    select: selectOf(batch, reads),
    columns: byPart(reads).size === 1 ? readable[0]?.columns : undefined,
    connection,
    provenance: batch.provenance,
    signal: batch.signal,
    originals: new Map(readable.flatMap(({ originals }) => [...originals])),
    formats: new Map(
      readable.flatMap(({ columns }) =>
        columns.flatMap(({ name, format }) => (format === undefined ? [] : [[name, format] as const])),
      ),
    ),
    supersedes:
      batch.disposition === "append"
        ? superseded
            .filter(({ state }) => state !== "left_out")
            .map(({ digest, path, rowsPublished }) => ({ digest: digest as Digest, path, rows: rowsPublished }))
        : [],
    whole: deletesMissing(batch.disposition) ? wholeOf(batch, reads) : undefined,
    gone: await goneKeys(batch, connection),
    note: (text) => batch.log(`${batch.dataset}: ${text}`),
    beforeCommit: async ({ rowCount, superseded: gone, relation, added, merged }) => {
      held = await holdBack(dependencies, batch, connection, { reads, total: distinct, published: rowCount });
      if (rowCount === 0 && !batch.allowEmpty && sumOf(held) > 0) throw new NothingToPublish(held);
      const found = await checkBatch(dependencies, batch, { connection, relation, added });
      if (merged !== undefined) batch.log(`${batch.dataset}: ${describeMerged(merged)}`);
      supersededRows = gone;
      return { ...describe(held, gone), ...found };
    },
  });
  // The rows were published by an earlier attempt: what it held back is computed again.
  held ??= await holdBack(dependencies, batch, connection, { reads, total: distinct, published: undefined });
  supersededRows ??=
    (made.content as DatasetContent).superseded?.rows ??
    superseded.reduce((sum, { rowsPublished }) => sum + rowsPublished, 0);
  const warnings = await countWarnings(connection, byPart(reads));
  const content: DatasetContent = { ...(made.content as DatasetContent), ...describe(held, supersededRows) };
  return toCaptured(batch, reads, { made: { ...made, content }, held, supersededRows, warnings });
}

/** Finds what treatments need to know of all rows, and counts what they change. */
async function treatBatch(
  { store }: CaptureDependencies,
  batch: CaptureBatch,
  connection: AnalyticsConnection,
  parts: BatchParts,
): Promise<Required<Pick<DatasetContent, "treated" | "bounds">>> {
  const { duplicates, contract } = batch;
  const bounds = await findBounds(connection, {
    contract: contract?.compiled,
    parts,
    referred: (outliers) => referredSpread(store, batch, outliers),
  });
  for (const [column, found] of Object.entries(bounds)) batch.log(describeBounds(column, found));
  const treated = await countTreated(connection, parts);
  for (const [name, count] of Object.entries(treated)) batch.log(`${name}: ${formatQuantity(count, "value")} changed`);
  if (duplicates === undefined) return { treated, bounds };
  await duplicates.find([...parts].flatMap(([part, numbers]) => part.distinguished(numbers) ?? []));
  batch.log(`${duplicates.name}: ${formatQuantity(duplicates.total, "row")} left out`);
  return { treated: { ...treated, [duplicates.name]: duplicates.total }, bounds };
}

async function checkBatch(
  { store }: CaptureDependencies,
  batch: CaptureBatch,
  rows: Pick<CheckedDataset, "connection" | "relation" | "added">,
): Promise<Partial<DatasetChecks>> {
  const { contract, project, dataset, atMs } = batch;
  if (contract === undefined) return {};
  const { compiled } = contract;
  const log = (text: string): void => batch.log(text);
  const isNeeded = compiled.anomalies.length > 0;
  const before = await measuredVersions(store, { project, asset: dataset, isNeeded });
  return checksFound(await checkDataset({ ...rows, dataset, compiled, before, atMs, log }));
}

/** Rows that are held back are not missing from their source. */
function wholeOf(batch: CaptureBatch, reads: readonly ReadFile[]): WholeSource {
  const keys = keysOf(batch.disposition);
  const held = [...byPart(reads)].flatMap(([part, numbers]) => part.held(numbers, keys) ?? []);
  const unread = reads.find((read) => read.problem !== undefined || hasRejects(read));
  return {
    mayBeEmpty: batch.allowEmpty,
    ...(held.length === 0 ? {} : { heldKeys: held.join(" union all by name ") }),
    ...(unread === undefined ? {} : { unknown: `rows of ${unread.file.path} could not be read` }),
  };
}

function toCaptured(
  batch: CaptureBatch,
  reads: readonly ReadFile[],
  outcome: {
    readonly made: MadeVersion | undefined;
    readonly held: ReadonlyMap<ReadFile, HeldRows>;
    readonly supersededRows: number;
    readonly warnings: Captured["warnings"];
  },
): Captured {
  const { made, held, supersededRows, warnings } = outcome;
  const explained = reads.map(
    (read) => [read.file.path, read.problem?.reason ?? (held.has(read) ? explainHeld(held.get(read)) : "")] as const,
  );
  return {
    made,
    files: toLedger(batch, reads, held),
    quarantine: toBatches(batch, reads, held),
    superseded:
      made === undefined ? [] : reads.flatMap(({ typed, file }) => (typed === undefined ? [] : file.supersedes)),
    supersededRows,
    heldFiles: reads.flatMap(({ problem, file: { path } }) => (problem === undefined ? [] : [{ ...problem, path }])),
    explanations: new Map(explained.filter(([, text]) => text !== "")),
    warnings,
  };
}

const PROBLEMS_NAMED = 5;

/** The files that are not held back, by what they are selected with, in order. */
function byPart(reads: readonly ReadFile[]): ReadonlyMap<FilesPart, readonly number[]> {
  const parts = new Map<FilesPart, number[]>();
  for (const { typed, number } of reads)
    if (typed !== undefined) parts.set(typed.part, [...(parts.get(typed.part) ?? []), number]);
  return parts;
}

function selectOf(batch: CaptureBatch, reads: readonly ReadFile[]): string {
  const readable = reads.flatMap(({ typed }) => (typed === undefined ? [] : [typed]));
  if (readable.length > 0)
    return [...byPart(reads)].map(([part, numbers]) => part.good(numbers)).join(" union all by name ");
  const types =
    batch.existing.length > 0
      ? batch.existing
      : [...(batch.contract?.compiled.types ?? [])].map(([name, type]) => ({ name, type }));
  if (types.length === 0) {
    const named = reads
      .flatMap(({ file, problem }) => (problem === undefined ? [] : [`${file.path}: ${problem.reason}`]))
      .slice(0, PROBLEMS_NAMED);
    throw contractBroken({
      dataset: batch.dataset,
      problems: [
        ...named,
        reads.length === 1
          ? "there is no other file, and no contract that says which columns there are"
          : `none of ${reads.length} files could be read, and no contract says which columns there are`,
      ],
    });
  }
  return `select ${types.map(({ name, type }) => `cast(null as ${type}) as "${name.replaceAll('"', '""')}"`).join(", ")} where false`;
}

/**
 * Every row that was read and not published is kept; most files have none, which their counts tell without another
 * scan.
 */
async function holdBack(
  dependencies: CaptureDependencies,
  batch: CaptureBatch,
  connection: AnalyticsConnection,
  /** `total` without duplicates. */
  counts: { readonly reads: readonly ReadFile[]; readonly total: number; readonly published: number | undefined },
): Promise<ReadonlyMap<ReadFile, HeldRows>> {
  const held = new Map<ReadFile, HeldRows>();
  if (counts.published === counts.total) return held;
  await assertSameTypes(batch, counts.reads, counts.published === undefined ? undefined : batch.dropped);
  for (const read of counts.reads) {
    if (read.typed === undefined) continue;
    const noted = counts.published === undefined ? undefined : (batch.dropped.get(read.number) ?? new Set<number>());
    if (noted?.size === 0 && !hasRejects(read)) continue;
    const records = noted === undefined || noted.size > MOST_NAMED_RECORDS ? undefined : noted;
    const rows = await storeHeldRows(connection, dependencies.objects, read.typed.bad(records), batch.workFolder);
    if (rows.count > 0) held.set(read, rows);
  }
  const quarantined = sumOf(held);
  if (counts.published !== undefined && counts.published + quarantined !== counts.total)
    throw rowsLost({ dataset: batch.dataset, read: counts.total, published: counts.published, quarantined });
  assertWithinLimits(batch, counts.reads, held);
  return held;
}

function hasRejects({ rows }: ReadFile): boolean {
  return rows?.rejects !== undefined && rows.rejects.count > 0;
}

/** Files that were read together are only looked at when rows of theirs are left out. */
async function assertSameTypes(
  batch: CaptureBatch,
  reads: readonly ReadFile[],
  dropped: DroppedRows | undefined,
): Promise<void> {
  const changed = new Map<ReadFile, HeldFile>();
  const byNumber = new Map(reads.map((read) => [read.number, read]));
  for (const [part, numbers] of byPart(reads)) {
    const some = dropped === undefined ? numbers : numbers.filter((number) => dropped.has(number));
    if (some.length === 0) continue;
    for (const [number, reason] of await part.findChanges(some)) {
      const read = byNumber.get(number);
      if (read !== undefined) changed.set(read, changedTypes(batch, reason));
    }
  }
  if (changed.size > 0) throw new FilesUnfit(changed);
}

function sumOf(held: ReadonlyMap<ReadFile, HeldRows>): number {
  return [...held.values()].reduce((sum, { count }) => sum + count, 0);
}

/**
 * Files that are beyond a limit by themselves are held back whole. So are those that would take out what they brought
 * before and put nothing in its place.
 */
function assertWithinLimits(
  batch: CaptureBatch,
  reads: readonly ReadFile[],
  held: ReadonlyMap<ReadFile, HeldRows>,
): void {
  const unfit = new Map<ReadFile, HeldFile>();
  for (const [read, rows] of held) {
    const reason = beyondLimits(batch, totalOf(read), rows);
    const isWhole =
      rows.count === totalOf(read) &&
      read.file.supersedes.some(({ rowsPublished }) => rowsPublished > 0) &&
      !batch.allowEmpty;
    if (reason !== undefined) unfit.set(read, { reason, isRetried: true, blocks: true });
    else if (isWhole)
      unfit.set(read, {
        reason: `none of its ${formatQuantity(rows.count, "row")} can be published, and what the file brought before stays: ${explainHeld(rows)}`,
        isRetried: true,
        blocks: hasLimits(batch),
      });
  }
  if (unfit.size > 0) throw new FilesUnfit(unfit);
  const total = reads.reduce((sum, read) => sum + totalOf(read), 0);
  const all: HeldRows = {
    object: undefined,
    count: sumOf(held),
    rules: summarize(total, held).rules,
    samples: Object.assign({}, ...[...held.values()].map(({ samples }) => samples)) as HeldRows["samples"],
  };
  const reason = beyondLimits(batch, total, all);
  if (reason !== undefined) throw contractBroken({ dataset: batch.dataset, problems: [reason] });
}

function beyondLimits({ limits }: CaptureBatch, total: number, rows: HeldRows): string | undefined {
  const percent = total === 0 ? 0 : (100 * rows.count) / total;
  const broken = `of ${formatQuantity(total, "row")} break the contract, at most`;
  if (limits.rows !== undefined && rows.count > limits.rows)
    return `${rows.count} ${broken} ${limits.rows} may: ${explainHeld(rows)}`;
  if (limits.percent !== undefined && percent > limits.percent)
    return `${rows.count} (${Number(percent.toPrecision(3))} %) ${broken} ${limits.percent} % may: ${explainHeld(rows)}`;
  return undefined;
}

const RULES_EXPLAINED = 5;

/** Rules by the number of rows that break them, each with samples. */
function explainHeld(rows: HeldRows | undefined): string {
  const rules = Object.entries(rows?.rules ?? {}).sort(([, left], [, right]) => right - left);
  const said = rules.slice(0, RULES_EXPLAINED).map(([rule, count]) => {
    const samples = rows?.samples[rule] ?? [];
    return `${rule}: ${formatQuantity(count, "row")}${samples.length === 0 ? "" : `, ${count > samples.length ? "such as " : ""}${samples.join(", ")}`}`;
  });
  return `${said.join("; ")}${rules.length > RULES_EXPLAINED ? `; and ${rules.length - RULES_EXPLAINED} more rules` : ""}`;
}

function summarize(total: number, held: ReadonlyMap<ReadFile, HeldRows>, duplicates = 0): QuarantineSummary {
  const rules: Record<string, number> = {};
  for (const rows of held.values())
    for (const [rule, count] of Object.entries(rows.rules)) rules[rule] = (rules[rule] ?? 0) + count;
  const quarantined = sumOf(held);
  const published = total - quarantined - duplicates;
  return { read: total, published, quarantined, ...(duplicates === 0 ? {} : { duplicates }), rules };
}

function publishedOf({ duplicates }: CaptureBatch, read: ReadFile, held: ReadonlyMap<ReadFile, HeldRows>): number {
  if (read.typed === undefined) return 0;
  return totalOf(read) - (held.get(read)?.count ?? 0) - (duplicates?.countOf(read.number) ?? 0);
}

function capturedContent(
  batch: CaptureBatch,
  reads: readonly ReadFile[],
  held: ReadonlyMap<ReadFile, HeldRows>,
): NonNullable<DatasetContent["captured"]> {
  return reads.map((read) => ({
    path: read.file.path,
    digest: read.file.digest,
    rows: publishedOf(batch, read, held),
  }));
}

function toLedger(
  batch: CaptureBatch,
  reads: readonly ReadFile[],
  held: ReadonlyMap<ReadFile, HeldRows>,
): CapturedFile[] {
  return reads.map((read) => {
    const rowsRead = totalOf(read);
    const state: CapturedFileState = read.problem?.isRetried === true ? "held" : "captured";
    const rowsQuarantined = held.get(read)?.count ?? 0;
    const { digest, path, mtimeMs } = read.file;
    const sizeBytes = read.file.givenBytes ?? read.file.sizeBytes;
    return {
      project: batch.project,
      dataset: batch.dataset,
      digest,
      path,
      sizeBytes,
      mtimeMs,
      rowsRead,
      rowsPublished: publishedOf(batch, read, held),
      rowsQuarantined,
      stepRunId: batch.run.stepRunId,
      atMs: batch.atMs,
      state,
    };
  });
}

function toBatches(
  batch: CaptureBatch,
  reads: readonly ReadFile[],
  held: ReadonlyMap<ReadFile, HeldRows>,
): Captured["quarantine"] {
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
        fileProblem: read.problem?.reason,
        rows: rows?.count ?? 0,
        objectDigest: rows?.object,
        rules: rows?.rules ?? {},
        contract:
          contract === undefined
            ? undefined
            : { path: contract.path, version: contract.version, digest: contract.digest },
        ...batch.run,
        atMs: batch.atMs,
      },
    ];
  });
}
