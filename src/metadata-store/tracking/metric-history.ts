import type { ReadTransaction } from "../database.ts";
import { chunksOf } from "../registry/key-value.ts";
import { toPoint } from "./hydrate-runs.ts";
import type { MetricPoint } from "./run.ts";
import type { StoredInteger } from "./tables.ts";
import { runStatement } from "./write-rows.ts";

interface PointRow {
  readonly key: string;
  readonly timestamp_ms: StoredInteger;
  readonly step: StoredInteger;
  readonly value: number;
  readonly is_nan: number;
}

/** Where a page of a history ended. */
export interface HistoryPosition {
  readonly timestampMs: StoredInteger;
  readonly step: StoredInteger;
  readonly value: number;
  readonly isNaN: number;
}

/** Points of one metric by (timestamp, step, value). Run by its short number. */
export async function getMetricHistory(
  transaction: ReadTransaction,
  query: { readonly run: number; readonly key: string; readonly limit: number; readonly after?: HistoryPosition },
): Promise<{ readonly points: readonly MetricPoint[]; readonly next: HistoryPosition | undefined }> {
  const { run, key, limit, after } = query;
  const beyond = after === undefined ? "" : "and (timestamp_ms, step, value, is_nan) > (?, ?, ?, ?)";
  const position = after === undefined ? [] : [after.timestampMs, after.step, after.value, after.isNaN];
  const rows = await runStatement<PointRow>(
    transaction,
    `select key, timestamp_ms, step, value, is_nan from run_metric where run = ? and key = ? ${beyond} order by timestamp_ms, step, value, is_nan limit ?`,
    [run, key, ...position, limit + 1],
  );
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  const points = (last === undefined ? rows : rows.slice(0, limit)).map(toPoint);
  return {
    points,
    next:
      last === undefined
        ? undefined
        : { timestampMs: last.timestamp_ms, step: last.step, value: last.value, isNaN: last.is_nan },
  };
}

/**
 * Up to this many points all steps are read; of longer metrics a sample, so that a chart of a million points costs
 * milliseconds.
 */
const MOST_EXACT_POINTS = 50_000;

interface StepQuery {
  readonly run: number;
  readonly key: string;
  /** Both included. */
  readonly first?: StoredInteger;
  readonly last?: StoredInteger;
  /** About how many steps of a long metric. */
  readonly sample: number;
}

/**
 * The distinct steps of a metric, ascending: all of them, or of a long metric about `sample`, evenly spread over time,
 * with both ends.
 */
export async function getMetricSteps(
  transaction: ReadTransaction,
  query: StepQuery,
): Promise<readonly StoredInteger[]> {
  const { text, parameters } = stepCondition(query);
  const counted = await runStatement<{ points: number }>(
    transaction,
    `select count(*) as points from (select 1 as one from run_metric where ${text} limit ${MOST_EXACT_POINTS + 1}) some_points`,
    parameters,
  );
  if (Number(counted[0]?.points) > MOST_EXACT_POINTS) {
    const sampled = await sampleSteps(transaction, query);
    // Points of one moment cannot be told apart by time.
    if (sampled.length >= query.sample / 2) return sampled;
  }
  const rows = await runStatement<{ step: StoredInteger }>(
    transaction,
    `select distinct step from run_metric where ${text} order by step`,
    parameters,
  );
  return rows.map((row) => row.step);
}

function stepCondition({ run, key, first, last }: StepQuery): {
  readonly text: string;
  readonly parameters: readonly unknown[];
} {
  return {
    text: `run = ? and key = ? ${first === undefined ? "" : "and step >= ?"} ${last === undefined ? "" : "and step <= ?"}`,
    parameters: [run, key, ...[first, last].filter((bound) => bound !== undefined)],
  };
}

/**
 * Looks up the point that follows each of evenly spread moments: as many seeks in the primary key as steps are wanted.
 */
async function sampleSteps(transaction: ReadTransaction, query: StepQuery): Promise<readonly StoredInteger[]> {
  const { text, parameters } = stepCondition(query);
  const [ends] = await runStatement<Record<"first_ms" | "last_ms" | "first_step" | "last_step", StoredInteger>>(
    transaction,
    `select min(timestamp_ms) as first_ms, max(timestamp_ms) as last_ms, min(step) as first_step, max(step) as last_step from run_metric where ${text}`,
    parameters,
  );
  if (ends === undefined) return [];
  const steps = new Set<StoredInteger>([ends.first_step, ends.last_step]);
  const [firstMs, lastMs] = [Number(ends.first_ms), Number(ends.last_ms)];
  for (let index = 0; index < query.sample; index++) {
    const atMs = Math.floor(firstMs + ((lastMs - firstMs) * index) / query.sample);
    const [row] = await runStatement<{ step: StoredInteger }>(
      transaction,
      `select step from run_metric where ${text} and timestamp_ms >= ? order by timestamp_ms, step limit 1`,
      [...parameters, atMs],
    );
    if (row !== undefined) steps.add(row.step);
  }
  return [...steps].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}

/** Points of one metric at the given steps, by (step, timestamp, value). */
export async function getMetricAtSteps(
  transaction: ReadTransaction,
  query: {
    readonly run: number;
    readonly key: string;
    readonly steps: readonly StoredInteger[];
    readonly limit: number;
  },
): Promise<readonly MetricPoint[]> {
  const { run, key, steps, limit } = query;
  const points: MetricPoint[] = [];
  for (const chunk of chunksOf(steps)) {
    const rows = await runStatement<PointRow>(
      transaction,
      `select key, timestamp_ms, step, value, is_nan from run_metric where run = ? and key = ? and step in (${chunk.map(() => "?").join(",")})
       order by step, timestamp_ms, value limit ?`,
      [run, key, ...chunk, limit - points.length],
    );
    for (const row of rows) points.push(toPoint(row));
    if (points.length >= limit) break;
  }
  return points;
}
