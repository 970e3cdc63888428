import type { WriteTransaction } from "../database.ts";
import type { KeyValue } from "../registry/key-value.ts";
import type { MetricPoint } from "./run.ts";
import type { StoredInteger } from "./tables.ts";
import { insertRows, type RowInsertion, runStatement } from "./write-rows.ts";

const POINT_INSERT: RowInsertion = {
  into: "run_metric",
  columns: ["run", "key", "timestamp_ms", "step", "value", "is_nan"],
  tail: "on conflict do nothing",
};

const LATEST_UPSERT: RowInsertion = {
  into: "run_latest_metric",
  columns: ["run", "key", "timestamp_ms", "step", "value", "is_nan", "sequence"],
  tail: `on conflict (run, key) do update set timestamp_ms = excluded.timestamp_ms, step = excluded.step, value = excluded.value, is_nan = excluded.is_nan
    where (excluded.step, excluded.timestamp_ms, excluded.value) > (run_latest_metric.step, run_latest_metric.timestamp_ms, run_latest_metric.value)`,
};

const PARAM_INSERT: RowInsertion = {
  into: "run_param",
  columns: ["run", "key", "value", "sequence"],
  tail: "on conflict do nothing returning key",
};

/** A point as it is stored. */
interface StoredPoint {
  readonly key: string;
  readonly timestampMs: StoredInteger;
  readonly step: StoredInteger;
  readonly value: number;
  readonly isNaN: 0 | 1;
}

/**
 * Adds metric points; equal ones are stored once. The latest point of a key is the greatest by (step, timestamp,
 * value), not the last to arrive.
 */
export async function logMetrics(
  transaction: WriteTransaction,
  run: number,
  points: readonly MetricPoint[],
  atMs: number,
): Promise<void> {
  const latest = new Map<string, StoredPoint>();
  const values: unknown[] = [];
  for (const point of points) {
    const stored = toStored(point);
    values.push(run, stored.key, stored.timestampMs, stored.step, stored.value, stored.isNaN);
    const known = latest.get(stored.key);
    if (known === undefined || isGreater(stored, known)) latest.set(stored.key, stored);
  }
  await insertRows(transaction, POINT_INSERT, values);
  // In the order of keys, so that concurrent batches lock rows in one order.
  const keys = [...latest.keys()];
  const sequenceOf = new Map(keys.map((key, index) => [key, atMs * 1000 + index]));
  const upserts = keys.sort().flatMap((key) => {
    const { timestampMs, step, value, isNaN } = latest.get(key) as StoredPoint;
    return [run, key, timestampMs, step, value, isNaN, sequenceOf.get(key)];
  });
  await insertRows(transaction, LATEST_UPSERT, upserts);
}

function toStored({ key, value, timestampMs, step }: MetricPoint): StoredPoint {
  const isNaN = Number.isNaN(value) ? 1 : 0;
  const clamped = Math.min(Math.max(value, -Number.MAX_VALUE), Number.MAX_VALUE);
  return { key, timestampMs, step, value: isNaN === 1 ? 0 : clamped, isNaN };
}

function isGreater(left: StoredPoint, right: StoredPoint): boolean {
  if (left.step !== right.step) return left.step > right.step;
  if (left.timestampMs !== right.timestampMs) return left.timestampMs > right.timestampMs;
  return left.value > right.value;
}

export interface ParamConflict {
  readonly key: string;
  readonly oldValue: string;
  readonly newValue: string;
}

/** Adds params, which are written once; returns those that hold another value already. Keys must differ. */
export async function logParams(
  transaction: WriteTransaction,
  run: number,
  params: readonly KeyValue[],
  atMs: number,
): Promise<readonly ParamConflict[]> {
  if (params.length === 0) return [];
  const values = params.flatMap(({ key, value }, index) => [run, key, value, atMs * 1000 + index]);
  const inserted = new Set(
    (await insertRows<{ key: string }>(transaction, PARAM_INSERT, values)).map((row) => row.key),
  );
  const present = params.filter(({ key }) => !inserted.has(key));
  if (present.length === 0) return [];
  const text = `select key, value from run_param where run = ? and key in (${present.map(() => "?").join(",")})`;
  const rows = await runStatement<KeyValue>(transaction, text, [run, ...present.map(({ key }) => key)]);
  const stored = new Map(rows.map((row) => [row.key, row.value]));
  return present.flatMap(({ key, value }) => {
    const oldValue = stored.get(key) ?? value;
    return oldValue === value ? [] : [{ key, oldValue, newValue: value }];
  });
}
