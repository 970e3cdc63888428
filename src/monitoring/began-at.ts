import type { ColumnSample } from "./drift-method.ts";
import { createStatusReader, type FeatureLack, lacks } from "./feature-scores.ts";
import type { Judgement } from "./judge.ts";
import type { Reference } from "./reference.ts";
import { SKEW } from "./skew-example.ts";
import { findChangePoint } from "./statistics/change-point.ts";
import type { WindowOutcomes, WindowRows } from "./window-rows.ts";

/** Level, and by how much of the possible range the two parts differ. */
const SIGNIFICANT = 0.001;
const LEAST_STEP = 0.1;

/**
 * The moment within a window from which on its rows are other ones: those before are nearer to the reference.
 *
 * Of a column, its place among the reference's values, or the share of the category that grew or shrank most, or of
 * missing values; of performance, the loss of each row.
 *
 * @returns epoch ms; undefined where no single moment parts the window
 */
export function beganAt(judgement: Judgement, rows: WindowRows, reference: Reference): number | undefined {
  // Only a sample was compared, and a wrong value shows in no column's distribution.
  if (judgement.segment !== "" || judgement.metric === SKEW) return undefined;
  const series =
    judgement.subject === ""
      ? /^(estimated_|drift|prediction_drift|multivariate|row_count|duplicates|max_gap)/.test(judgement.metric)
        ? undefined
        : lossSeries(rows.outcomes)
      : columnSeries(judgement, rows, reference);
  return series === undefined ? undefined : partingTime(series);
}

interface Series {
  readonly times: Float64Array;
  /** Between 0 and 1, by and large. */
  readonly values: Float64Array;
  /** Mean in the reference; undefined: less is better. */
  readonly expected: number | undefined;
}

function partingTime({ times, values, expected }: Series): number | undefined {
  const order = Uint32Array.from(times, (_, row) => row)
    .filter((row) => Number.isFinite(values[row] ?? NaN))
    .sort((left, right) => (times[left] ?? 0) - (times[right] ?? 0));
  const found = findChangePoint(Float64Array.from(order, (row) => values[row] ?? 0));
  if (found === undefined || found.pValue > SIGNIFICANT) return undefined;
  if (Math.abs(found.after - found.before) < LEAST_STEP) return undefined;
  const distance = (mean: number): number => (expected === undefined ? mean : Math.abs(mean - expected));
  // What moves back to the reference began before this window.
  if (distance(found.before) >= distance(found.after)) return undefined;
  return times[order[found.index] ?? 0];
}

function lossSeries({ labels, predictions, times }: WindowOutcomes): Series | undefined {
  if (labels.length === 0) return undefined;
  const losses = labels.map((label, row) => Math.abs(label - (predictions[row] ?? NaN)));
  const largest = losses.reduce((most, loss) => (loss > most ? loss : most), 0);
  return { times, values: losses.map((loss) => loss / (largest || 1)), expected: undefined };
}

function columnSeries({ subject, metric }: Judgement, rows: WindowRows, reference: Reference): Series | undefined {
  const values = rows.columns.get(subject);
  const known = reference.columns.get(subject);
  if (values === undefined || known === undefined) return undefined;
  const { times } = rows;
  const indicator = (holds: (value: unknown) => boolean, expected: number): Series => ({
    times,
    values: Float64Array.from({ length: values.length }, (_, row) => Number(holds(values[row]))),
    expected,
  });
  const lack = metric === "feature_missing" ? "missing" : metric === "feature_stale" ? "stale" : undefined;
  if (lack !== undefined) return { times, values: lackingRows(rows, subject, lack), expected: 0 };
  const missing = shareOf(values, isMissing);
  if (metric === "null_share" || missing > known.nullShare + LEAST_STEP) return indicator(isMissing, known.nullShare);
  if (known.kind === "numeric" && known.time !== true)
    return {
      times,
      values: Float64Array.from({ length: values.length }, (_, row) => placeAmong(known, Number(values[row] ?? NaN))),
      expected: 0.5,
    };
  if (known.kind !== "categorical") return undefined;
  const [category, expected] = mostMoved(values, known.counts);
  return indicator((value) => !isMissing(value) && nameOf(value) === category, expected);
}

/** 1 where a feature lacked, NaN where its caller sent it. */
function lackingRows({ featureStatus }: WindowRows, feature: string, lack: FeatureLack): Float64Array {
  const read = createStatusReader();
  return Float64Array.from({ length: featureStatus.length }, (_, row) => {
    const found = lacks(read(featureStatus[row]), feature, lack);
    return found === undefined ? NaN : Number(found);
  });
}

function isMissing(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === "number" && Number.isNaN(value));
}

function nameOf(value: unknown): string {
  if (typeof value === "boolean") return String(value);
  return typeof value === "string" ? value : String(value);
}

function shareOf(values: ArrayLike<unknown>, holds: (value: unknown) => boolean): number {
  let count = 0;
  for (let row = 0; row < values.length; row++) if (holds(values[row])) count++;
  return values.length === 0 ? 0 : count / values.length;
}

/** Share of the reference's values that are smaller, equal ones counted half. */
function placeAmong(known: Extract<ColumnSample, { kind: "numeric" }>, value: number): number {
  if (Number.isNaN(value)) return NaN;
  const { values } = known.sample;
  return (countBelow(values, value, false) + countBelow(values, value, true)) / (2 * values.length);
}

function countBelow(sorted: Float64Array, value: number, isIncluded: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = sorted[middle] ?? 0;
    if (found < value || (isIncluded && found === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The category whose share changed most, and its share in the reference. */
function mostMoved(values: ArrayLike<unknown>, reference: ReadonlyMap<string, number>): readonly [string, number] {
  const counts = new Map<string, number>();
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (!isMissing(value)) counts.set(nameOf(value), (counts.get(nameOf(value)) ?? 0) + 1);
  }
  const total = [...reference.values()].reduce((sum, count) => sum + count, 0);
  const n = [...counts.values()].reduce((sum, count) => sum + count, 0);
  let [category, expected, largest] = ["", 0, -1];
  for (const name of new Set([...reference.keys(), ...counts.keys()])) {
    const before = (reference.get(name) ?? 0) / (total || 1);
    const moved = Math.abs((counts.get(name) ?? 0) / (n || 1) - before);
    if (moved > largest) [category, expected, largest] = [name, before, moved];
  }
  return [category, expected];
}
