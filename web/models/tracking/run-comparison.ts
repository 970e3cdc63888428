import type { TrackingRun } from "./tracking-run.ts";

/** One param, metric or tag over several runs. */
export interface ComparedRow {
  readonly key: string;
  /** One per run, in the order of the runs. */
  readonly values: readonly (number | string | undefined)[];
  readonly isDifferent: boolean;
}

export interface Comparison {
  readonly params: readonly ComparedRow[];
  readonly metrics: readonly ComparedRow[];
  readonly tags: readonly ComparedRow[];
}

/** Params, metrics and tags of some runs side by side, by name. */
export function compareRuns(runs: readonly TrackingRun[]): Comparison {
  const rows = (
    of: (run: TrackingRun) => ReadonlyMap<string, number | string>,
    isShown: (key: string) => boolean = () => true,
  ): readonly ComparedRow[] => {
    const keys = [...new Set(runs.flatMap((run) => [...of(run).keys()]))]
      .filter(isShown)
      .sort((left, right) => left.localeCompare(right));
    return keys.map((key) => {
      const values = runs.map((run) => of(run).get(key));
      return { key, values, isDifferent: values.some((value) => !Object.is(value, values[0])) };
    });
  };
  return {
    params: rows((run) => run.params),
    metrics: rows((run) => run.metrics),
    tags: rows(
      (run) => run.tags,
      (key) => !key.startsWith("mlflow."),
    ),
  };
}

/** Something to draw runs by: `metric.loss` or `param.lr`. */
export interface Dimension {
  readonly id: string;
  readonly label: string;
  readonly values: readonly (number | string | undefined)[];
  /** True when every value there is can be read as a number. */
  readonly isNumeric: boolean;
}

/** Params that differ and all metrics, params first; a param of numbers is numeric. */
export function dimensionsOf(runs: readonly TrackingRun[]): readonly Dimension[] {
  const { params, metrics } = compareRuns(runs);
  return [
    ...params.filter(({ isDifferent }) => isDifferent).map((row) => toDimension("param", row)),
    ...metrics.map((row) => toDimension("metric", row)),
  ];
}

function toDimension(group: "param" | "metric", { key, values }: ComparedRow): Dimension {
  const given = values.filter((value) => value !== undefined);
  const isNumeric = group === "metric" || (given.length > 0 && given.every((value) => isNumber(value)));
  return {
    id: `${group}.${key}`,
    label: key,
    isNumeric,
    values: isNumeric ? values.map((value) => (value === undefined ? undefined : Number(value))) : values,
  };
}

function isNumber(value: number | string): boolean {
  return typeof value === "number" || (value.trim() !== "" && Number.isFinite(Number(value)));
}
