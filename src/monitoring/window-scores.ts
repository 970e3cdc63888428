import { isEsteiraError, messageOf } from "#base";
import type { MonitorScore } from "#metadata-store/monitoring";
import { evaluateAll, type MetricName, pickRows, segmentsOf } from "#models";
import { toColumnSample } from "./column-sample.ts";
import { shapeOf } from "./column-shape.ts";
import { chooseMethod, type ColumnSample, type DriftMethod, type DriftScore, scoreDrift } from "./drift-method.ts";
import { methodUnknown, scoreUndefined } from "./errors.ts";
import { featureScores } from "./feature-scores.ts";
import { fairnessScores } from "./fairness-scores.ts";
import type { MonitorRule } from "./monitor-file.ts";
import { multivariateScores } from "./multivariate-scores.ts";
import { pickValues, type Reference, spreadKey, toPredictionSample } from "./reference.ts";
import { bandOf, estimatedScores } from "./estimated-scores.ts";
import type { ChunkSpread } from "./statistics/chunks.ts";
import { sliceScores } from "./slice-scores.ts";
import { adjustPValues } from "./statistics/false-discovery.ts";
import { sampledOf } from "./row-sample.ts";
import { valueScores } from "./value-scores.ts";
import type { WindowRows } from "./window-rows.ts";

/** What is computed of a window, beside what is always computed. */
export interface ScoreRequest {
  readonly minRows: number;
  readonly segments: readonly string[];
  readonly rules: readonly MonitorRule[];
}

/**
 * Every score of one window: drift of inputs and predictions, data quality, performance (overall and by segment),
 * estimated performance.
 *
 * A score that needs more rows than there are has no value. Drift metrics are called `drift.<method>` and
 * `prediction_drift.<method>`,
 * estimates `estimated_<metric>`. A score of a large window is of a sample: `n` rows of the `sampledOf` in its
 * `method`.
 */
export async function computeScores(
  rows: WindowRows,
  reference: Reference,
  request: ScoreRequest,
): Promise<readonly MonitorScore[]> {
  const inputs: MonitorScore[] = [];
  for (const input of reference.model.inputs) {
    inputs.push(...inputScores(input, rows, reference, request));
    await giveWay();
  }
  const scores = [...adjustDrift(inputs), ...predictionScores(rows, reference, request)];
  await giveWay();
  for await (const some of performanceScores(rows, reference, request)) scores.push(...some);
  scores.push(...(await estimatedScores(rows, reference, request)));
  scores.push(...(await askedScores(rows, reference, request)));
  // A rule may ask for the method that is the default anyway.
  const byKey = new Map<string, MonitorScore>();
  for (const score of scores) {
    const key = JSON.stringify([score.metric, score.subject, score.segment]);
    if (!byKey.has(key)) byKey.set(key, score);
  }
  return [...byKey.values()];
}

/** What only some rules ask for. */
async function askedScores(
  rows: WindowRows,
  reference: Reference,
  request: ScoreRequest,
): Promise<readonly MonitorScore[]> {
  const { rules, minRows } = request;
  const { task } = reference.model;
  const scores: MonitorScore[] = [...rowScores(rows)];
  if (rules.some((rule) => "drift" in rule && rule.drift.segments === true))
    for await (const some of segmentDrift(rows, reference, request)) scores.push(...some);
  scores.push(
    ...fairnessScores(
      rows,
      task,
      rules.flatMap((rule) => ("fairness" in rule ? [rule.fairness] : [])),
    ),
    ...featureScores(
      rows,
      reference.model.inputs.map(({ name }) => name),
      rules.flatMap((rule) => ("features" in rule ? [rule.features] : [])),
    ),
    ...valueScores(
      rows,
      rules.flatMap((rule) => ("value" in rule ? [rule.value] : [])),
    ),
    ...(await multivariateScores({ columns: rows.columns, rowCount: rows.predictions.length }, reference.rows, {
      rules: rules.flatMap((rule) => ("multivariate" in rule ? [rule.multivariate] : [])),
      minRows,
    })),
  );
  for (const rule of rules)
    if ("slices" in rule)
      scores.push(...(await sliceScores(rows.outcomes, reference.held, { task, rule: rule.slices, minRows })));
  return scores;
}

/** Rows as a whole. */
function rowScores({ facts, predictions, rowCount }: WindowRows): readonly MonitorScore[] {
  const sampled = sampledOf(predictions.length, rowCount);
  const whole = {
    subject: "",
    segment: "",
    baseline: undefined,
    threshold: undefined,
    breached: undefined,
    nReference: undefined,
  };
  return [
    { ...whole, metric: "row_count", value: rowCount, n: rowCount, method: {} },
    ...(predictions.length === 0
      ? []
      : [
          {
            ...whole,
            metric: "duplicates",
            value: facts.duplicates / predictions.length,
            n: predictions.length,
            method: sampled,
          },
        ]),
    { ...whole, metric: "max_gap_hours", value: facts.largestGapMs / 3_600_000, n: rowCount, method: {} },
  ];
}

/** Columns of each segment against the same segment of the reference, by their default method. */
export async function* segmentDrift(
  rows: WindowRows,
  reference: Reference,
  request: ScoreRequest & { readonly columns?: ReadonlySet<string> },
): AsyncGenerator<MonitorScore[]> {
  const types = new Map(reference.model.inputs.map(({ name, type }) => [name, type]));
  for (const column of request.segments) {
    for (const segment of segmentsOf(rows.segments.get(column) ?? [])) {
      const name = `${column}=${segment.value}`;
      const known = reference.segmentColumns.get(name);
      if (known === undefined || segment.rows.length < request.minRows) continue;
      const wanted = [...known].filter(([input]) => request.columns?.has(input) ?? true);
      const scores = wanted.map(([input, before]) => ({
        ...driftScore("drift", input, {
          reference: before,
          current: toColumnSample(
            pickValues(rows.columns.get(input) ?? [], segment.rows),
            types.get(input) ?? "string",
            before,
          ),
          method: undefined,
          minRows: request.minRows,
          rowCount: segment.rows.length,
          spread: new Map(),
        }),
        segment: name,
      }));
      yield adjustDrift(markSampled(scores, rows));
      await giveWay();
    }
  }
}

/** Lets requests be answered between two columns. */
function giveWay(): Promise<void> {
  return new Promise(setImmediate);
}

function inputScores(
  { name, type }: Reference["model"]["inputs"][number],
  rows: WindowRows,
  reference: Reference,
  request: ScoreRequest,
): MonitorScore[] {
  const known = reference.columns.get(name);
  const values = rows.columns.get(name);
  if (known === undefined || values === undefined) return [];
  const current = toColumnSample(values, type, known);
  const rowCount = rows.predictions.length;
  const scores = methodsFor(name, request.rules).map((method) =>
    driftScore("drift", name, {
      reference: known,
      current,
      method,
      minRows: request.minRows,
      rowCount,
      spread: reference.driftSpread,
    }),
  );
  const mismatch: MonitorScore = {
    metric: "type_mismatch",
    subject: name,
    segment: "",
    value: rowCount === 0 ? undefined : (rows.facts.mismatches.get(name) ?? 0) / rowCount,
    baseline: 0,
    threshold: undefined,
    breached: undefined,
    n: rowCount,
    nReference: known.size,
    method: { type },
  };
  return markSampled([...scores, ...qualityScores(name, known, current, rowCount), mismatch], rows);
}

function markSampled(scores: readonly MonitorScore[], rows: WindowRows): MonitorScore[] {
  const sampled = sampledOf(rows.predictions.length, rows.rowCount);
  return scores.map((score) => ({ ...score, method: { ...score.method, ...sampled } }));
}

/** Many columns, many chances of a small p-value by accident: those of one method of choosing are judged together. */
function adjustDrift(scores: readonly MonitorScore[]): MonitorScore[] {
  const families = Map.groupBy(
    scores.filter((score) => isPValueScore(score)),
    (score) => ((score.method as { default?: boolean }).default === true ? "default" : score.metric),
  );
  const adjusted = new Map([...families.values()].flatMap((family) => [...adjustedPValues(family)]));
  return scores.map((score) => {
    const value = adjusted.get(score);
    if (value === undefined || score.threshold === undefined) return score;
    return { ...score, breached: value <= score.threshold, method: { ...score.method, adjusted: value } };
  });
}

function isPValueScore(score: MonitorScore): boolean {
  return score.value !== undefined && (score.method as { scale?: string }).scale === "p_value";
}

/**
 * Of the scores that are p-values: the smallest false discovery rate at which each counts as drift. Source: Benjamini &
 * Hochberg (1995).
 */
export function adjustedPValues(scores: readonly MonitorScore[]): ReadonlyMap<MonitorScore, number> {
  const tests = scores.filter((score) => isPValueScore(score));
  const adjusted = adjustPValues(tests.map((score) => score.value ?? 1));
  return new Map(tests.map((score, index) => [score, adjusted[index] ?? 1]));
}

/** The default method, and those that rules ask for. */
function methodsFor(column: string, rules: readonly MonitorRule[]): readonly (DriftMethod | undefined)[] {
  const asked = rules.flatMap((rule) =>
    "drift" in rule && watches(rule.drift, column) && rule.drift.method !== undefined ? [rule.drift.method] : [],
  );
  return [undefined, ...new Set(asked)];
}

/** Whether a rule watches a column. */
export function watches(
  rule: { readonly columns?: readonly string[] | undefined; readonly except?: readonly string[] | undefined },
  column: string,
): boolean {
  return (rule.columns?.includes(column) ?? true) && rule.except?.includes(column) !== true;
}

/** In the `method` of a drift score: the column's values are missing, so that no distance can be computed. */
export interface GoneColumn {
  readonly gone: true;
  /** Shares of missing values, 0 to 1. */
  readonly nullShare: number;
  readonly referenceNullShare: number;
}

interface Compared {
  readonly reference: ColumnSample;
  readonly current: ColumnSample;
  readonly method: DriftMethod | undefined;
  readonly minRows: number;
  /** Rows of the window, with a value or without. */
  readonly rowCount: number;
  /** What is usual, by {@link spreadKey}. */
  readonly spread: ReadonlyMap<string, ChunkSpread>;
}

function driftScore(
  metric: string,
  subject: string,
  { reference, current, method, minRows, rowCount, spread }: Compared,
): MonitorScore {
  const facts = { subject, segment: "", baseline: undefined, n: current.size, nReference: reference.size };
  // Enough rows came, but hardly any value: as many values missing as never before is a drift, not a lack of data.
  if (current.size < minRows && reference.size > 0 && rowCount * (1 - reference.nullShare) >= minRows) {
    const gone: GoneColumn = { gone: true, nullShare: current.nullShare, referenceNullShare: reference.nullShare };
    const reason = `${current.size} of ${rowCount} rows have a value`;
    return {
      ...facts,
      metric: `${metric}.${method ?? chooseMethod(reference, reference)}`,
      value: undefined,
      threshold: undefined,
      breached: true,
      method: { ...gone, reason, ...(method === undefined ? { default: true } : {}) },
    };
  }
  if (current.size < minRows || reference.size === 0) {
    return {
      ...facts,
      metric: `${metric}.${method ?? "default"}`,
      value: undefined,
      threshold: undefined,
      breached: undefined,
      method: { reason: `not enough data: ${current.size} rows of ${minRows}` },
    };
  }
  const found = tryScore(reference, current, method);
  if (typeof found === "string")
    return {
      ...facts,
      metric: `${metric}.${method ?? "default"}`,
      value: undefined,
      threshold: undefined,
      breached: undefined,
      method: { reason: found },
    };
  const usual = spread.get(spreadKey(found.method, subject));
  return {
    ...facts,
    metric: `${metric}.${found.method}`,
    value: found.score,
    threshold: found.threshold,
    breached: found.drifted,
    method: {
      ...found.definition,
      ...(method === undefined ? { default: true } : {}),
      ...(usual === undefined ? {} : { usual }),
      // Kept where somebody will ask; a window has many columns.
      ...(found.drifted || method !== undefined ? { shape: shapeOf(reference, current) } : {}),
    },
  };
}

/** A method that says nothing of one column leaves the others their scores. */
function tryScore(
  reference: ColumnSample,
  current: ColumnSample,
  method: DriftMethod | undefined,
): DriftScore | string {
  try {
    return scoreDrift(reference, current, { method });
  } catch (error) {
    if (!isEsteiraError(error, methodUnknown.code) && !isEsteiraError(error, scoreUndefined.code)) throw error;
    return messageOf(error);
  }
}

function qualityScores(name: string, reference: ColumnSample, current: ColumnSample, rowCount: number): MonitorScore[] {
  if (rowCount === 0) return [];
  const facts = {
    subject: name,
    segment: "",
    threshold: undefined,
    breached: undefined,
    n: rowCount,
    nReference: reference.size,
  };
  const scores: MonitorScore[] = [
    {
      ...facts,
      metric: "null_share",
      value: current.nullShare,
      baseline: reference.nullShare,
      method: { share: "missing values of all rows" },
    },
  ];
  if (current.size === 0) return scores;
  if (reference.kind === "numeric" && current.kind === "numeric" && reference.size > 0) {
    const [least, largest] = [reference.sample.values[0] ?? 0, reference.sample.values.at(-1) ?? 0];
    const outside = current.sample.values.reduce(
      (count, value) => count + (value < least || value > largest ? 1 : 0),
      0,
    );
    scores.push({
      ...facts,
      metric: "out_of_range",
      value: outside / current.size,
      baseline: 0,
      method: { least, largest },
    });
  }
  if (reference.kind === "categorical" && current.kind === "categorical") {
    let unseen = 0;
    for (const [category, count] of current.counts) if (!reference.counts.has(category)) unseen += count;
    scores.push({
      ...facts,
      metric: "unseen",
      value: unseen / current.size,
      baseline: 0,
      method: { categories: reference.counts.size },
    });
  }
  return scores;
}

function predictionScores(rows: WindowRows, reference: Reference, request: ScoreRequest): MonitorScore[] {
  const current = toPredictionSample(rows.predictions, reference.model);
  const asked = request.rules.flatMap((rule) =>
    "prediction_drift" in rule && rule.prediction_drift.method !== undefined ? [rule.prediction_drift.method] : [],
  );
  const scores = [undefined, ...new Set(asked)].map((method) =>
    driftScore("prediction_drift", "", {
      reference: reference.predictions,
      current,
      method,
      minRows: request.minRows,
      rowCount: rows.predictions.length,
      spread: reference.driftSpread,
    }),
  );
  if (rows.predictions.length > 0 && reference.model.task !== "multiclass_classification") {
    const known = rows.predictions.filter((value) => !Number.isNaN(value));
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    scores.push({
      metric: "prediction_mean",
      subject: "",
      segment: "",
      value: mean,
      baseline: meanOf(reference.predictions),
      threshold: undefined,
      breached: undefined,
      n: known.length,
      nReference: reference.predictions.size,
      method: {},
    });
  }
  return markSampled(scores, rows);
}

function meanOf(column: ColumnSample): number | undefined {
  if (column.kind !== "numeric" || column.size === 0) return undefined;
  return column.sample.values.reduce((sum, value) => sum + value, 0) / column.size;
}

/** All labelled rows first, then each segment that has enough of them. */
async function* performanceScores(
  { outcomes, labelled, rowCount }: WindowRows,
  reference: Reference,
  { minRows, segments }: ScoreRequest,
): AsyncGenerator<MonitorScore[]> {
  const { task } = reference.model;
  const sampled = sampledOf(outcomes.labels.length, labelled);
  const isKnown = (row: number): boolean => !Number.isNaN(outcomes.predictions[row]);
  const toScores = (
    of: Uint32Array,
    segment: string,
    baseline: Readonly<Partial<Record<MetricName, number>>> | undefined,
  ): MonitorScore[] =>
    Object.entries(evaluateAll(pickRows(outcomes, of), task)).map(([metric, value]) => ({
      metric,
      subject: "",
      segment,
      value,
      baseline: baseline?.[metric as MetricName],
      threshold: undefined,
      breached: undefined,
      n: of.length,
      nReference: undefined,
      method: {
        labelled: of.length,
        predictions: rowCount,
        ...bandOf(metric, value, of.length, reference),
        ...sampled,
      },
    }));
  const known = Uint32Array.from(outcomes.labels.keys()).filter(isKnown);
  if (known.length === 0) return;
  yield toScores(known, "", reference.performance.overall);
  for (const column of segments) {
    for (const segment of segmentsOf(outcomes.segments.get(column) ?? [])) {
      const own = segment.rows.filter(isKnown);
      if (own.length < minRows || own.length === 0) continue;
      await giveWay();
      const name = `${column}=${segment.value}`;
      yield toScores(own, name, reference.performance.segments.get(name));
    }
  }
}
