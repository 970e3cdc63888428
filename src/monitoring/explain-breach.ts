import { type AlertAdvice, type AlertCause, type AlertColumn, type AlertSegment, columnShapeSchema } from "#api";
import type { MonitorScore, MonitorWindow } from "#metadata-store/monitoring";
import { toColumnSample } from "./column-sample.ts";
import { shapeOf } from "./column-shape.ts";
import { defaultThreshold, DRIFT_METHODS, isPValue } from "./drift-method.ts";
import type { Judgement } from "./judge.ts";
import type { Reference } from "./reference.ts";
import { SKEW } from "./skew-example.ts";
import type { WindowRows } from "./window-rows.ts";

const MOST_COLUMNS = 5;
const MOST_SEGMENTS = 10;
const PREDICTION = "prediction";

/** A window with the rows it was computed from. */
export interface ExplainedWindow {
  readonly window: MonitorWindow;
  readonly rows: WindowRows;
  readonly reference: Reference;
}

/** The columns of a breach with both histograms: its own, or those that moved most. */
export function explainColumns(
  judgement: Judgement,
  { window, rows, reference }: ExplainedWindow,
): readonly AlertColumn[] {
  const moved = movedScores(window.scores, judgement.segment);
  const own = columnsOf(judgement, reference);
  const scores = new Map(moved.map((score) => [score.subject, score]));
  const named = own.length > 0 ? own : moved.map(({ subject }) => subject).slice(0, MOST_COLUMNS);
  const columns = named.flatMap((column) =>
    toColumn(
      column,
      own.includes(column) ? (ofJudgement(judgement, column) ?? scores.get(column)) : scores.get(column),
    ),
  );
  const answers = judgement.metric.startsWith("prediction_drift.")
    ? window.scores.find(({ metric }) => metric === judgement.metric)
    : undefined;
  return answers === undefined ? columns : [ofPredictions(answers), ...columns];

  function toColumn(column: string, score: Pick<MonitorScore, "metric" | "value" | "threshold"> | undefined) {
    const input = reference.model.inputs.find(({ name }) => name === column);
    const known = reference.columns.get(column);
    const values = rows.columns.get(column);
    if (input === undefined || known === undefined || values === undefined) return [];
    const current = toColumnSample(values, input.type, known);
    const drawn = known.size > 0 && current.size > 0 ? shapeOf(known, current) : undefined;
    return [
      {
        column,
        metric: score?.metric,
        value: score?.value,
        threshold: score?.threshold,
        rows: current.size,
        referenceRows: known.size,
        nullShare: current.nullShare,
        referenceNullShare: known.nullShare,
        shape: drawn,
      },
    ];
  }

  function ofPredictions(score: MonitorScore): AlertColumn {
    return {
      column: PREDICTION,
      metric: score.metric,
      value: score.value,
      threshold: judgement.threshold,
      rows: score.n,
      referenceRows: score.nReference ?? 0,
      nullShare: 0,
      referenceNullShare: 0,
      shape: columnShapeSchema.safeParse(new Map(Object.entries(score.method)).get("shape")).data,
    };
  }
}

function ofJudgement(
  { metric, subject, value, threshold }: Judgement,
  column: string,
): Pick<MonitorScore, "metric" | "value" | "threshold"> | undefined {
  return subject === column ? { metric, value, threshold } : undefined;
}

/** Inputs that a breach itself names: its column, or those of its conditions. */
function columnsOf({ subject, segment, metric, message }: Judgement, { model }: Reference): readonly string[] {
  const names = model.inputs.map(({ name }) => name);
  if (names.includes(subject)) return [subject];
  const conditions = metric.startsWith("slice.") ? message : segment;
  if (conditions === "") return [];
  return names.filter((name) => new RegExp(`(^|[^\\w])${RegExp.escape(name)}\\s*([=<>≤]| is )`, "u").test(conditions));
}

/** Columns out of bounds by their default test, the farthest first. */
function movedScores(scores: readonly MonitorScore[], segment: string): readonly MonitorScore[] {
  const own = scores.filter(
    (score) => score.metric.startsWith("drift.") && score.breached === true && score.segment === segment,
  );
  const unique = new Map(own.map((score) => [score.subject, score]));
  return [...unique.values()].sort((left, right) => farness(right) - farness(left));
}

/** How far out of bounds, so that tests of different kinds can be put in order. */
function farness({ metric, value, threshold }: MonitorScore): number {
  if (value === undefined) return Infinity;
  const method = DRIFT_METHODS.find((one) => metric.endsWith(`.${one}`));
  if (method === undefined) return 0;
  const limit = threshold ?? defaultThreshold(method);
  return isPValue(method) ? limit / Math.max(value, Number.MIN_VALUE) : value / limit;
}

/** The rows in which it is worst, by the segments of the file, the slices that were found, or the groups compared. */
export function explainSegments(judgement: Judgement, { scores }: MonitorWindow): readonly AlertSegment[] {
  const { metric, subject } = judgement;
  if (judgement.segment !== "") return [];
  if (metric.startsWith("fairness."))
    return pick(
      scores.filter((score) => score.metric === "group.selection_rate" && score.subject === subject),
      (score) => -(score.value ?? 0),
    );
  if (metric.startsWith("slice."))
    return pick(
      scores.filter((score) => score.metric === `${metric}.effect`),
      (score) => score.value ?? 0,
    );
  if (subject !== "" && metric.startsWith("drift."))
    return pick(
      scores.filter((score) => score.subject === subject && score.segment !== "" && score.breached === true),
      farness,
    );
  const worsening = ({ value, baseline }: MonitorScore): number =>
    value === undefined || baseline === undefined
      ? -Infinity
      : judgement.side === "above"
        ? value - baseline
        : baseline - value;
  return pick(
    scores.filter((score) => score.metric === metric && score.segment !== "" && worsening(score) > 0),
    worsening,
  );
}

function pick(scores: readonly MonitorScore[], rank: (score: MonitorScore) => number): readonly AlertSegment[] {
  return scores
    .toSorted((left, right) => rank(right) - rank(left))
    .slice(0, MOST_SEGMENTS)
    .flatMap(({ segment, metric, value, baseline, n }) =>
      value === undefined ? [] : [{ segment, metric, value, baseline, rows: n }],
    );
}

/** What to do, in order. Pure. */
export function adviseOn(
  { metric, subject }: Judgement,
  facts: { readonly causes: readonly AlertCause[]; readonly segments: readonly AlertSegment[] },
): readonly AlertAdvice[] {
  if (/^(row_count|max_gap_hours|duplicates|feature_.*)$/.test(metric)) return adviseOnTraffic(metric, subject);
  const advice: AlertAdvice[] = [];
  const model = facts.causes.find(({ kind }) => kind === "model");
  if (model?.fromVersion !== undefined)
    advice.push({ kind: "roll_back", name: model.name, version: model.fromVersion });
  const data = facts.causes.find(({ columns, schema, kind }) => kind !== "model" && columns.length + schema.length > 0);
  if (data !== undefined) {
    const { name, pipelineRunId, toVersion, fromVersion } = data;
    advice.push({ kind: "look_at_run", name, version: toVersion, pipelineRunId });
    if (fromVersion !== undefined && data.kind === "dataset")
      advice.push({ kind: "restore_dataset", name, version: fromVersion });
  }
  const isOfInputs = subject !== "" || /^(drift|multivariate)/.test(metric);
  if (isOfInputs && data === undefined && !metric.startsWith("fairness.")) advice.push({ kind: "ask_callers" });
  if (facts.segments.length > 0) advice.push({ kind: "look_at_segments" });
  if (/^(drift|prediction_drift|multivariate)/.test(metric)) advice.push({ kind: "compare_performance" });
  else if (!isOfInputs || metric.startsWith("fairness.")) advice.push({ kind: "retrain" });
  return advice;
}

/** No data or model made it. */
function adviseOnTraffic(metric: string, subject: string): readonly AlertAdvice[] {
  if (metric === SKEW) return [{ kind: "look_at_online", name: subject }];
  if (!metric.startsWith("feature_")) return [{ kind: "check_traffic" }];
  const look = { kind: "look_at_features", name: subject } as const;
  return metric === "feature_missing" ? [look, { kind: "ask_callers" }] : [look];
}
