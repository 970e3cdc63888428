import { toNumber, type WireMetric } from "./tracking-run.ts";

export const X_AXES = ["step", "relative", "time"] as const;
export type XAxis = (typeof X_AXES)[number];

/** Points of one metric of one run, by step and time. */
export interface MetricSeries {
  readonly runId: string;
  readonly key: string;
  readonly steps: readonly number[];
  /** Epoch milliseconds. */
  readonly times: readonly number[];
  readonly values: readonly number[];
}

/** Points as the server answers them, as one series per run, ordered by step and then time. */
export function toSeries(
  key: string,
  runIds: readonly string[],
  points: readonly WireMetric[],
): readonly MetricSeries[] {
  const byRun = Map.groupBy(points, ({ run_id: runId }) => runId ?? runIds[0] ?? "");
  return runIds.map((runId) => {
    const own = (byRun.get(runId) ?? []).toSorted(
      (left, right) => left.step - right.step || left.timestamp - right.timestamp,
    );
    return {
      runId,
      key,
      steps: own.map(({ step }) => step),
      times: own.map(({ timestamp }) => timestamp),
      values: own.map(({ value }) => toNumber(value)),
    };
  });
}

/**
 * Positions on the x axis: steps, epoch seconds, or seconds since the first point of the run; ascending.
 *
 * Points whose time goes backwards are put in order of time.
 */
export function placeSeries(
  series: MetricSeries,
  axis: XAxis,
  startMs?: number,
): { readonly x: readonly number[]; readonly y: readonly number[] } {
  if (axis === "step") return { x: series.steps, y: series.values };
  const first = axis === "relative" ? (startMs ?? series.times[0] ?? 0) : 0;
  const order = series.times
    .map((_, index) => index)
    .sort((left, right) => (series.times[left] ?? 0) - (series.times[right] ?? 0));
  return {
    x: order.map((index) => ((series.times[index] ?? 0) - first) / 1000),
    y: order.map((index) => series.values[index] ?? Number.NaN),
  };
}

/**
 * Exponential moving average, corrected for its start: early values are not pulled to zero.
 *
 * @param weight of the past, 0 (unchanged) to below 1. Values that are not finite are passed on and change nothing.
 * Source: bias correction of Adam (Kingma and Ba 2015, section 3), as TensorBoard smooths.
 */
export function smooth(values: readonly number[], weight: number): readonly number[] {
  if (weight <= 0) return values;
  let last = 0;
  let count = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    last = last * weight + (1 - weight) * value;
    count += 1;
    return last / (1 - weight ** count);
  });
}

/**
 * Several series on one x axis, as a chart takes them: every position once, ascending, null where a series has none.
 *
 * Of several points of one series at one position the last counts. Values that are not finite, or not positive on a
 * logarithmic axis, are left out.
 */
export function alignSeries(
  placed: readonly { readonly x: readonly number[]; readonly y: readonly number[] }[],
  isLogarithmic = false,
): { readonly x: readonly number[]; readonly columns: readonly (readonly (number | null)[])[] } {
  const x = [...new Set(placed.flatMap((each) => each.x))].sort((left, right) => left - right);
  const position = new Map(x.map((value, index) => [value, index]));
  const columns = placed.map((each) => {
    const column: (number | null)[] = Array.from({ length: x.length }, () => null);
    each.x.forEach((at, index) => {
      const value = each.y[index];
      if (value !== undefined && Number.isFinite(value) && (!isLogarithmic || value > 0))
        column[position.get(at) ?? 0] = value;
    });
    return column;
  });
  return { x, columns };
}

/**
 * First and last step of the points that lie in a stretch of the x axis, or undefined when it holds fewer than two
 * steps.
 */
export function stepsWithin(
  series: readonly MetricSeries[],
  axis: XAxis,
  [from, to]: readonly [number, number],
): readonly [number, number] | undefined {
  let first = Infinity;
  let last = -Infinity;
  for (const each of series) {
    const start = each.times[0] ?? 0;
    each.steps.forEach((step, index) => {
      const at = axis === "step" ? step : ((each.times[index] ?? 0) - (axis === "relative" ? start : 0)) / 1000;
      if (at < from || at > to) return;
      first = Math.min(first, step);
      last = Math.max(last, step);
    });
  }
  if (axis === "step") return Math.ceil(from) < Math.floor(to) ? [Math.ceil(from), Math.floor(to)] : undefined;
  return first < last ? [first, last] : undefined;
}

/** The server answers at most this many points of one run, however many have the same step. */
const MOST_POINTS = 2500;

export interface Coverage {
  /** `all` points are here, or only a `sample`; of some answers that cannot be told: `perhaps`. */
  readonly kind: "all" | "sample" | "perhaps";
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

/**
 * How much of a metric an answer holds.
 *
 * @param asked points asked for: of a longer metric the server chooses at least half as many steps, at most those and
 *   the ends
 */
export function coverageOf(series: readonly MetricSeries[], asked: number): Coverage {
  const steps = new Set(series.flatMap((each) => each.steps));
  const [first, last] = [...steps].reduce(
    ([least, most], step) => [Math.min(least, step), Math.max(most, step)] as const,
    [Infinity, -Infinity] as const,
  );
  const count = series.reduce((sum, each) => sum + each.steps.length, 0);
  const kind = (): Coverage["kind"] => {
    if (steps.size > asked || series.some((each) => each.steps.length >= MOST_POINTS)) return "sample";
    if (steps.size < asked / 2 || last - first + 1 === steps.size) return "all";
    return "perhaps";
  };
  return { kind: kind(), count, first, last };
}
