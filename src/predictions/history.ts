import {
  type Analytics,
  type AnalyticsConnection,
  type ColumnBatch,
  type LogFile,
  type LogTables,
  quoteText,
} from "#data";
import type {
  EndpointKey,
  LabelTarget,
  NewPrediction,
  PredictionArm,
  PredictionHistory,
} from "#metadata-store/serving";
import { HISTORY_COLUMNS, idsOf, timesOf } from "./history-table.ts";

/** `[atMs, id]` of a row: rows are in this order. */
export type Position = readonly [number, string];

/** Which rows of a history are listed. */
export interface NewestQuery {
  readonly modelVersionId?: string | undefined;
  readonly entityKey?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly before?: Position | undefined;
  readonly limit: number;
}

/** A label that names its prediction by the caller's key. */
export interface WantedEntity {
  readonly entityKey: string;
  /** The prediction was made at or before it; undefined: whenever. */
  readonly atMs: number | undefined;
  /** Event time of the one that is known: an earlier one is not asked for. */
  readonly knownAtMs: number | undefined;
}

/** Reads histories at the version that their note in the metadata store names. No row has a label here. */
export interface HistoryReader {
  /** Newest event time first. */
  listNewest(of: PredictionHistory, query: NewestQuery): Promise<readonly NewPrediction[]>;
  /** Everything of a time range, oldest first, in parts. */
  readFrom(
    of: PredictionHistory,
    range: { readonly fromMs: number; readonly toMs: number; readonly after?: Position | undefined },
  ): AsyncGenerator<readonly NewPrediction[], void, undefined>;
  findByIds(of: PredictionHistory, ids: readonly string[]): Promise<readonly NewPrediction[]>;
  /** The latest predictions at or before each label's time. */
  findByEntities(of: PredictionHistory, wanted: readonly WantedEntity[]): Promise<readonly LabelTarget[]>;
}

const ROWS_A_PART = 20_000;
/** So many rows are looked through for a page at first. */
const FIRST_ROWS = 4000;
/** How many times as much is looked through when these were too few. */
const WIDENED = 8;
/** Rows of files in which entities are looked up together. */
const ROWS_LOOKED_UP = 2_000_000;
const COLUMN_LIST = HISTORY_COLUMNS.map(({ name }) => name).join(", ");
const TARGET_LIST =
  "id, model_version_id, arm, prediction, prediction_text, at_ms, received_at_ms, entity_key, propensity";

interface HistoryParts {
  readonly analytics: Analytics;
  readonly tables: LogTables;
}

export function createHistoryReader(parts: HistoryParts): HistoryReader {
  return {
    listNewest: (of, asked) => listNewest(parts, of, asked),
    readFrom: (of, range) => readFrom(parts, of, range),
    findByIds: (of, ids) => findByIds(parts, of, ids),
    findByEntities: (of, wanted) => findByEntities(parts, of, wanted),
  };
}

async function filesOf(
  { tables }: HistoryParts,
  { folder, deltaVersion }: PredictionHistory,
): Promise<readonly LogFile[]> {
  return (await tables.open(folder, deltaVersion))?.files ?? [];
}

async function query(
  { tables, analytics }: HistoryParts,
  { folder, files }: { readonly folder: string; readonly files: readonly LogFile[] },
  sql: (relation: string) => string,
  prepare?: (connection: AnalyticsConnection) => Promise<void>,
): Promise<ColumnBatch> {
  const relation = await tables.relation(folder, files);
  const connection = await analytics.connect();
  try {
    await prepare?.(connection);
    return await connection.columns(sql(relation));
  } finally {
    connection.close();
  }
}

async function listNewest(
  parts: HistoryParts,
  of: PredictionHistory,
  asked: NewestQuery,
): Promise<readonly NewPrediction[]> {
  const { fromMs = -Infinity, toMs = Infinity, before, limit } = asked;
  const untilMs = Math.min(toMs - 1, before?.[0] ?? Infinity);
  const files = (await filesOf(parts, of)).filter((file) => overlaps(file, fromMs, untilMs));
  const lastMs = Math.min(untilMs, Math.max(...files.map((file) => timesOf(file)[1])));
  const firstMs = Math.max(fromMs, Math.min(...files.map((file) => timesOf(file)[0])));
  // Back in time, at first as far as a page is likely to reach, then further and further.
  for (let span = spanOf(files, lastMs, FIRST_ROWS); files.length > 0; span *= WIDENED) {
    const bound = Math.max(firstMs, lastMs - span);
    const where = conditionOf({ ...asked, fromMs: Number.isFinite(bound) ? bound : undefined });
    const batch = await query(
      parts,
      { folder: of.folder, files: files.filter((file) => overlaps(file, bound, lastMs)) },
      (relation) => `select ${COLUMN_LIST} from ${relation} where ${where} order by at_ms desc, id desc limit ${limit}`,
    );
    if (batch.rowCount === limit || !(bound > firstMs)) return toRows(of, batch);
  }
  return [];
}

async function* readFrom(
  parts: HistoryParts,
  of: PredictionHistory,
  { fromMs, toMs, after }: { readonly fromMs: number; readonly toMs: number; readonly after?: Position | undefined },
): AsyncGenerator<readonly NewPrediction[], void, undefined> {
  const files = (await filesOf(parts, of)).filter((file) => overlaps(file, fromMs, toMs - 1));
  let start = Math.max(fromMs, after?.[0] ?? fromMs);
  let last = after;
  while (start < toMs) {
    const ahead = files.filter((file) => timesOf(file)[1] >= start);
    const first = ahead.reduce((least, file) => Math.min(least, timesOf(file)[0]), Infinity);
    start = Math.max(start, first);
    if (start >= toMs) return;
    const end = Math.min(toMs, start + spanOf(ahead, start, ROWS_A_PART));
    const where = conditionOf({ fromMs: start, toMs: end, after: last });
    const batch = await query(
      parts,
      { folder: of.folder, files: ahead.filter((file) => overlaps(file, start, end - 1)) },
      (relation) => `select ${COLUMN_LIST} from ${relation} where ${where} order by at_ms, id limit ${ROWS_A_PART}`,
    );
    const rows = toRows(of, batch);
    const final = rows.at(-1);
    if (final !== undefined) yield rows;
    const isPart = final !== undefined && rows.length === ROWS_A_PART;
    start = isPart ? final.atMs : end;
    last = isPart ? [final.atMs, final.id] : undefined;
  }
}

async function findByIds(
  parts: HistoryParts,
  of: PredictionHistory,
  ids: readonly string[],
): Promise<readonly NewPrediction[]> {
  const sorted = [...new Set(ids)].sort();
  const files = (await filesOf(parts, of)).filter((file) => mayHold(file, sorted));
  if (files.length === 0) return [];
  const [only = ""] = sorted;
  const condition = sorted.length === 1 ? `id = ${quoteText(only)}` : "id in (select value from wanted)";
  const batch = await query(
    parts,
    { folder: of.folder, files },
    (relation) => `select ${COLUMN_LIST} from ${relation} where ${condition}`,
    sorted.length === 1 ? undefined : (connection) => connection.load("wanted", sorted),
  );
  return toRows(of, batch);
}

async function findByEntities(
  parts: HistoryParts,
  of: PredictionHistory,
  wanted: readonly WantedEntity[],
): Promise<readonly LabelTarget[]> {
  const found: LabelTarget[] = [];
  const files = (await filesOf(parts, of)).toSorted((left, right) => timesOf(right)[1] - timesOf(left)[1]);
  let open = wanted.map((each) => ({ ...each, bestMs: each.knownAtMs ?? -Infinity }));
  for (let start = 0; start < files.length;) {
    const count = countFor(files.slice(start), ROWS_LOOKED_UP);
    const looked = files.slice(start, start + count);
    const newestMs = looked.reduce((largest, file) => Math.max(largest, timesOf(file)[1]), -Infinity);
    // What is known already is newer than all that is still to come.
    open = open.filter(({ bestMs }) => bestMs <= newestMs);
    if (open.length === 0) break;
    for (const { place, target } of await lookUp(parts, { folder: of.folder, files: looked }, open)) {
      found.push(target);
      const label = open[place];
      if (label !== undefined) label.bestMs = Math.max(label.bestMs, target.at_ms);
    }
    start += count;
  }
  return found;
}

async function lookUp(
  parts: HistoryParts,
  of: { readonly folder: string; readonly files: readonly LogFile[] },
  wanted: readonly WantedEntity[],
): Promise<readonly { readonly place: number; readonly target: LabelTarget }[]> {
  const batch = await query(
    parts,
    of,
    (relation) =>
      `select place, ${TARGET_LIST} from ${relation} join wanted on entity_key = entity and at_ms <= until_ms
       qualify rank() over (partition by place order by at_ms desc) = 1`,
    async (connection) => {
      await connection.run("create temp table wanted (place double, entity varchar, until_ms double)");
      await connection.append("wanted", [
        Float64Array.from(wanted.keys()),
        wanted.map(({ entityKey }) => entityKey),
        Float64Array.from(wanted, ({ atMs }) => atMs ?? Number.MAX_SAFE_INTEGER),
      ]);
    },
  );
  return toTargets(batch);
}

function overlaps(file: LogFile, fromMs: number, untilMs: number): boolean {
  const [least, largest] = timesOf(file);
  return largest >= fromMs && least <= untilMs;
}

/** How many of the first files have so many rows. */
function countFor(files: readonly LogFile[], rows: number): number {
  let [count, seen] = [0, 0];
  for (const file of files) {
    if (seen >= rows) break;
    seen += file.rows;
    count++;
  }
  return count;
}

/** How long it takes around a time until there are so many rows, if they come evenly. */
function spanOf(files: readonly LogFile[], aroundMs: number, rows: number): number {
  let rate = 0;
  for (const file of files) {
    const [least, largest] = timesOf(file);
    if (least <= aroundMs && largest >= aroundMs && Number.isFinite(largest - least))
      rate += file.rows / (largest - least + 1);
  }
  return rate === 0 ? Infinity : Math.max(1, Math.ceil(rows / rate));
}

function mayHold(file: LogFile, sorted: readonly string[]): boolean {
  const bounds = idsOf(file);
  if (bounds === undefined) return true;
  const [first, last] = bounds;
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? "") < first) low = middle + 1;
    else high = middle;
  }
  const next = sorted[low];
  return next !== undefined && next <= last;
}

function conditionOf({
  modelVersionId,
  entityKey,
  fromMs,
  toMs,
  before,
  after,
}: Omit<NewestQuery, "limit"> & { readonly after?: Position | undefined }): string {
  const conditions = ["true"];
  if (modelVersionId !== undefined) conditions.push(`model_version_id = ${quoteText(modelVersionId)}`);
  if (entityKey !== undefined) conditions.push(`entity_key = ${quoteText(entityKey)}`);
  if (fromMs !== undefined) conditions.push(`at_ms >= ${whole(fromMs)}`);
  if (toMs !== undefined) conditions.push(`at_ms < ${whole(toMs)}`);
  if (before !== undefined)
    conditions.push(`at_ms <= ${whole(before[0])} and (at_ms < ${whole(before[0])} or id < ${quoteText(before[1])})`);
  if (after !== undefined)
    conditions.push(`(at_ms > ${whole(after[0])} or (at_ms = ${whole(after[0])} and id > ${quoteText(after[1])}))`);
  return conditions.join(" and ");
}

function whole(value: number): string {
  return BigInt(Math.ceil(value)).toString();
}

interface Columns {
  readonly text: (name: string, row: number) => string | undefined;
  readonly number: (name: string, row: number) => number | undefined;
}

function columnsOf({ values }: ColumnBatch): Columns {
  return {
    text(name, row) {
      const column = values[name];
      return column?.kind === "text" ? (column.values[row] ?? undefined) : undefined;
    },
    number(name, row) {
      const column = values[name];
      if (column?.kind !== "number" || column.valid?.[row] === 0) return undefined;
      return column.values[row];
    },
  };
}

function toRows({ project, environment, endpoint }: EndpointKey, batch: ColumnBatch): NewPrediction[] {
  const { text, number } = columnsOf(batch);
  return Array.from({ length: batch.rowCount }, (_, row) => ({
    id: text("id", row) ?? "",
    project,
    environment,
    endpoint,
    modelVersionId: text("model_version_id", row) ?? "",
    arm: armOf(text("arm", row)),
    atMs: number("at_ms", row) ?? 0,
    receivedAtMs: number("received_at_ms", row) ?? 0,
    requestId: text("request_id", row) ?? "",
    features: text("features", row) ?? "{}",
    context: text("context", row),
    prediction: number("prediction", row),
    predictionText: text("prediction_text", row),
    entityKey: text("entity_key", row),
    featureStatus: text("feature_status", row),
    propensity: number("propensity", row),
  }));
}

function toTargets(batch: ColumnBatch): readonly { readonly place: number; readonly target: LabelTarget }[] {
  const { text, number } = columnsOf(batch);
  return Array.from({ length: batch.rowCount }, (_, row) => ({
    place: number("place", row) ?? 0,
    target: {
      id: text("id", row) ?? "",
      model_version_id: text("model_version_id", row) ?? "",
      arm: armOf(text("arm", row)),
      prediction: number("prediction", row) ?? null,
      prediction_text: text("prediction_text", row) ?? null,
      at_ms: number("at_ms", row) ?? 0,
      received_at_ms: number("received_at_ms", row) ?? 0,
      entity_key: text("entity_key", row) ?? null,
      propensity: number("propensity", row) ?? null,
    },
  }));
}

function armOf(text: string | undefined): PredictionArm {
  return text === "candidate" || text === "shadow" ? text : "stable";
}
