import type { MonitorScore } from "#metadata-store/monitoring";
import type { ModelTask } from "#models";
import type { HeldRows } from "./reference.ts";
import type { SlicesRule } from "./watch-rules.ts";
import { codeSlices, type SliceRows } from "./statistics/slice-search.ts";
import { searchInThread } from "./slice-thread.ts";
import type { WindowOutcomes } from "./window-rows.ts";

/** What a row adds to the errors, by task. */
const LOSSES = {
  binary_classification: "squared_error",
  multiclass_classification: "error",
  regression: "absolute_error",
  outputs: "absolute_error",
} as const satisfies Record<ModelTask, string>;

/** The slices in which a model got worse, and the strongest of them as one series: 0 when there is none. */
export async function sliceScores(
  outcomes: WindowOutcomes,
  held: HeldRows | undefined,
  { task, rule, minRows }: { readonly task: ModelTask; readonly rule: SlicesRule; readonly minRows: number },
): Promise<readonly MonitorScore[]> {
  const metric = `slice.${LOSSES[task]}`;
  const facts = { subject: "", segment: "", baseline: undefined, threshold: undefined, breached: undefined };
  const none = (reason: string): MonitorScore[] => [
    {
      ...facts,
      metric,
      value: undefined,
      n: outcomes.labels.length,
      nReference: held?.labels.length,
      method: { reason },
    },
  ];
  if (held === undefined) return none("the model has no held-out rows with labels to compare with");
  if (outcomes.labels.length < 2 * minRows)
    return none(`not enough data: ${outcomes.labels.length} labelled rows of ${2 * minRows}`);
  const watched = (name: string): boolean =>
    (rule.columns?.includes(name) ?? true) && rule.except?.includes(name) !== true;
  const rowsOf = (
    columns: ReadonlyMap<string, ArrayLike<unknown>>,
    labels: ArrayLike<number>,
    predictions: ArrayLike<number>,
  ): SliceRows => toRows(columns, { labels, predictions, task, watched });
  const { slices, tested } = await searchInThread(
    await codeSlices(
      rowsOf(outcomes.segments, outcomes.labels, outcomes.predictions),
      rowsOf(held.columns, held.labels, held.predictions),
      { predicates: rule.predicates, effect: rule.effect, falseDiscovery: rule.false_discovery, minRows },
    ),
  );
  // Nothing that was looked at is no proof that all is well.
  if (tested === 0)
    return none("no slice could be tried: no column that is watched has two groups that are large enough");
  const n = outcomes.labels.length;
  const nReference = held.labels.length;
  const names = slices.slice(0, 3).map(({ predicates }) => predicates.join(" and "));
  return [
    {
      ...facts,
      metric,
      value: slices[0]?.effect ?? 0,
      n,
      nReference,
      method: { tested, found: slices.length, ...(names.length === 0 ? {} : { slices: names.join("; ") }) },
    },
    ...slices.map(({ predicates, rows, referenceRows, loss, referenceLoss, effect, pValue }): MonitorScore => ({
      ...facts,
      metric: `${metric}.effect`,
      segment: predicates.join(" and "),
      value: effect,
      n: rows,
      nReference: referenceRows,
      method: { adjusted: pValue, loss, referenceLoss },
    })),
  ];
}

interface Losses {
  readonly labels: ArrayLike<number>;
  readonly predictions: ArrayLike<number>;
  readonly task: ModelTask;
  readonly watched: (name: string) => boolean;
}

function toRows(
  columns: ReadonlyMap<string, ArrayLike<unknown>>,
  { labels, predictions, task, watched }: Losses,
): SliceRows {
  const known = Uint32Array.from({ length: labels.length }, (_, row) => row).filter(
    (row) => Number.isFinite(labels[row] ?? NaN) && Number.isFinite(predictions[row] ?? NaN),
  );
  const loss = Float64Array.from(known, (row) => {
    const [label, prediction] = [labels[row] ?? 0, predictions[row] ?? 0];
    if (task === "multiclass_classification") return Number(label !== prediction);
    return task === "binary_classification" ? (label - prediction) ** 2 : Math.abs(label - prediction);
  });
  const all = known.length === labels.length;
  return {
    loss,
    columns: new Map(
      [...columns]
        .filter(([name]) => watched(name))
        .map(([name, values]) => [name, all ? values : Array.from(known, (row) => values[row])]),
    ),
  };
}
