import type { EndpointDetail, EndpointWindow } from "#api";
import { metricNames } from "./metrics.ts";

/** The middle of a window: where its point stands on a time axis. */
export function windowMiddle(window: EndpointWindow): number {
  return (window.startMs + window.endMs) / 2;
}

/** From the start of the first window to the end of the last: what every chart of them spans. */
export function windowSpan(windows: readonly EndpointWindow[]): readonly [number, number] | undefined {
  const [first, last] = [windows[0], windows.at(-1)];
  return first === undefined || last === undefined ? undefined : [first.startMs, last.endMs];
}

/** Performance metrics that some window has, overall or by segment. */
export function performanceMetrics(windows: readonly EndpointWindow[]): readonly string[] {
  // What was measured with labels comes before what was estimated without.
  const names = metricNames(
    windows.map(({ performance }) => Object.fromEntries(performance.map(({ metric, value }) => [metric, value]))),
  );
  return names.toSorted(
    (left, right) => Number(left.startsWith("estimated_")) - Number(right.startsWith("estimated_")),
  );
}

/** Segments of a metric, the whole (`undefined`) first. */
export function segmentsOf(windows: readonly EndpointWindow[], metric: string): readonly (string | undefined)[] {
  const segments = new Set(
    windows.flatMap(({ performance }) =>
      performance.filter((each) => each.metric === metric).map(({ segment }) => segment),
    ),
  );
  return [...segments].sort((left, right) =>
    left === undefined ? -1 : right === undefined ? 1 : left.localeCompare(right),
  );
}

/** One metric over the windows; null where there is no value. */
export function performanceSeries(
  windows: readonly EndpointWindow[],
  metric: string,
  segment?: string,
): readonly (number | null)[] {
  return windows.map(
    ({ performance }) => performance.find((each) => each.metric === metric && each.segment === segment)?.value ?? null,
  );
}

/** What a metric is held against, window by window: every model version brings its own. */
export function boundSeries(
  windows: readonly EndpointWindow[],
  metric: string,
  bound: "baseline" | "threshold",
): readonly (number | null)[] {
  return windows.map(
    ({ performance }) =>
      performance.find((each) => each.metric === metric && each.segment === undefined)?.[bound] ?? null,
  );
}

export interface DriftedColumns {
  readonly drifted: number;
  readonly watched: number;
}

/** Of the columns that a window looked at, how many drifted by any method; undefined when it looked at none. */
export function driftedColumns(window: EndpointWindow | undefined): DriftedColumns | undefined {
  const columns = window?.drift.filter((each) => each.of === "column") ?? [];
  const count = (of: typeof columns): number => new Set(of.map(({ feature }) => feature)).size;
  const watched = count(columns);
  return watched === 0 ? undefined : { drifted: count(columns.filter(({ isDrifted }) => isDrifted)), watched };
}

export interface DriftSeries {
  readonly of: EndpointWindow["drift"][number]["of"];
  readonly feature: string;
  readonly method: string;
  readonly values: readonly (number | null)[];
  readonly threshold: number | undefined;
  readonly driftedCount: number;
}

/** Drift of each feature over the windows, the most drifted first. */
export function driftSeries(windows: readonly EndpointWindow[]): readonly DriftSeries[] {
  const keys = new Map(
    windows.flatMap(({ drift }) => drift.map((each) => [`${each.of} ${each.feature} ${each.method}`, each] as const)),
  );
  const series = [...keys.values()].map(({ of, feature, method }): DriftSeries => {
    const found = windows.map(({ drift }) =>
      drift.find((each) => each.of === of && each.feature === feature && each.method === method),
    );
    return {
      of,
      feature,
      method,
      values: found.map((each) => each?.score ?? null),
      threshold: found.find((each) => each?.threshold !== undefined)?.threshold,
      driftedCount: found.filter((each) => each?.isDrifted === true).length,
    };
  });
  const largest = ({ values }: DriftSeries): number => Math.max(0, ...values.filter((value) => value !== null));
  return series.sort((left, right) => right.driftedCount - left.driftedCount || largest(right) - largest(left));
}

/** Columns among the series of a method, and whether the answers stand beside them. */
export function countDriftSeries(
  series: readonly DriftSeries[],
  method: string | undefined,
): { readonly columns: number; readonly withAnswers: boolean } {
  const found = series.filter((each) => each.method === method);
  return {
    columns: found.filter((each) => each.of === "column").length,
    withAnswers: found.some((each) => each.of === "prediction"),
  };
}

export interface Band {
  readonly fromMs: number;
  readonly toMs: number;
  readonly label: string;
  readonly isOdd: boolean;
}

/** Which model version answered when, as bands behind the charts; cut to the windows shown. */
export function versionBands({ periods, windows }: Pick<EndpointDetail, "periods" | "windows">): readonly Band[] {
  const first = windows[0]?.startMs;
  const last = windows.at(-1)?.endMs;
  if (first === undefined || last === undefined) return [];
  return periods
    .map((period, index) => ({
      fromMs: Math.max(first, period.startMs),
      toMs: Math.min(last, period.endMs ?? last),
      label: `v${period.modelVersion}`,
      isOdd: index % 2 === 1,
    }))
    .filter((band) => band.toMs > band.fromMs);
}

/** Pipeline runs that alerts started, each once: several alerts of one window start one run. Newest first. */
export function distinctRetrainings(retrainings: EndpointDetail["retrainings"]): EndpointDetail["retrainings"] {
  return [...new Map(retrainings.map((retraining) => [retraining.pipelineRunId, retraining])).values()].sort(
    (left, right) => right.atMs - left.atMs,
  );
}

/** The value that an endpoint is judged by, of the last window that has one. */
export function lastPerformance(
  windows: readonly EndpointWindow[],
): { readonly metric: string; readonly value: number } | undefined {
  const [metric] = performanceMetrics(windows);
  const found = windows.flatMap(({ performance }) =>
    performance.filter((each) => each.metric === metric && each.segment === undefined),
  );
  return found.at(-1);
}
