import type { EndpointKey, ScannedPrediction } from "#metadata-store/serving";
import type { ModelDescription } from "#models";
import type { Predictions } from "#predictions";
import { createNumberColumn, createRowSample, createValueColumn, type SampledColumn } from "./row-sample.ts";

/** Rows of a window that are compared: as many as a reference has. Above it they are a uniform sample. */
const LARGEST_SAMPLE = 100_000;
/** Values of all columns of the sample: a wide model has fewer rows of it. */
const MOST_VALUES = 8_000_000;
const SMALLEST_SAMPLE = 10_000;
const ROWS_IN_A_TURN = 1000;

/** The answered predictions of one window, by column; shadows are left out. Of a large window a uniform sample. */
export interface WindowRows {
  /** All rows of the window. */
  readonly rowCount: number;
  /** All rows of the window that have a label. */
  readonly labelled: number;
  /** All rows by model version id. */
  readonly versions: ReadonlyMap<string, number>;
  /**
   * Input columns: numbers as Float64Array (missing = NaN), else values with null where missing. One row per prediction
   * sampled.
   */
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
  /** Columns that segments are made of, as asked for; null where missing. One row per prediction sampled. */
  readonly segments: ReadonlyMap<string, ArrayLike<unknown>>;
  /** What the rows are like as a whole. */
  readonly facts: RowFacts;
  /** Event times, epoch ms. One per prediction sampled; a sample is in no order. */
  readonly times: Float64Array;
  /** JSON texts of the log: features that were not read as they are stored, with their status. One per row sampled. */
  readonly featureStatus: ArrayLike<unknown>;
  /** Probability, value or class index; NaN where the model gave none. One per prediction sampled. */
  readonly predictions: Float64Array;
  /** Rows with a label, sampled on their own. */
  readonly outcomes: WindowOutcomes;
}

/** Of all rows of a window, sampled or not, but `duplicates` of the sampled ones. */
export interface RowFacts {
  /** Values of another type than the model's input has, by column. */
  readonly mismatches: ReadonlyMap<string, number>;
  /** Rows whose inputs are those of an earlier row. */
  readonly duplicates: number;
  /** Longest time between two predictions, ms. */
  readonly largestGapMs: number;
}

/** Rows of a window whose truth is known; all columns have the same length. */
export interface WindowOutcomes {
  readonly labels: Float64Array;
  readonly predictions: Float64Array;
  /** Event times, epoch ms. */
  readonly times: Float64Array;
  /** Columns that segments are made of, as asked for; null where missing. */
  readonly segments: ReadonlyMap<string, ArrayLike<unknown>>;
}

/** Reads a time range part by part. */
async function scanWindow(
  predictions: Pick<Predictions, "scan">,
  key: EndpointKey,
  range: { readonly fromMs: number; readonly toMs: number },
  use: (page: readonly ScannedPrediction[]) => void,
): Promise<void> {
  for await (const part of predictions.scan({ ...key, ...range })) {
    for (let start = 0; start < part.length; start += ROWS_IN_A_TURN) {
      use(part.slice(start, start + ROWS_IN_A_TURN).filter((row) => row.arm !== "shadow"));
      // Lets requests be answered in between.
      await new Promise(setImmediate);
    }
  }
}

/** What of a window is read. */
export interface WindowRange {
  /** Event time, included, epoch ms. */
  readonly fromMs: number;
  /** Event time, excluded, epoch ms. */
  readonly toMs: number;
  /** Columns that segments are made of: inputs of the model, or what the predictions carried beside them. */
  readonly segments: readonly string[];
  /** The version that answered most: another one under trial is judged by its own figures, not by this window's. */
  readonly modelVersionId?: string | undefined;
  /** Only the rows that this version answered as a candidate. */
  readonly ofCandidate?: boolean;
  /** Told of every row. */
  readonly see?: (row: ScannedPrediction) => void;
  /** Rows that are kept; default 100,000, fewer of a wide model. */
  readonly atMost?: number;
}

function isOnTrial({ arm, model_version_id }: ScannedPrediction, range: WindowRange): boolean {
  const { modelVersionId } = range;
  if (range.ofCandidate === true) return arm !== "candidate" || model_version_id !== modelVersionId;
  return arm === "candidate" && modelVersionId !== undefined && model_version_id !== modelVersionId;
}

/**
 * Reads a window's predictions into columns, page by page; memory is bounded however many there are.
 *
 * @param model whose inputs and classes are read; a version with other inputs leaves them missing
 */
export async function readWindow(
  predictions: Pick<Predictions, "scan">,
  key: EndpointKey,
  range: WindowRange,
  model: Pick<ModelDescription, "inputs" | "classes"> & Partial<Pick<ModelDescription, "task">>,
): Promise<WindowRows> {
  const widest = Math.floor(MOST_VALUES / Math.max(1, model.inputs.length));
  const { atMost = Math.min(LARGEST_SAMPLE, Math.max(SMALLEST_SAMPLE, widest)) } = range;
  const versions = new Map<string, number>();
  const classes = createClassIndex(model.classes);
  // Outputs of any shape are no classes.
  const isOfClasses = model.task !== "outputs";
  const inputs = collectInputs(model, range.segments, atMost);
  const outcomes = collectOutcomes(model, range.segments, atMost);
  await scanWindow(predictions, key, { fromMs: range.fromMs, toMs: range.toMs }, (page) => {
    for (const row of page) {
      if (isOnTrial(row, range)) continue;
      range.see?.(row);
      versions.set(row.model_version_id, (versions.get(row.model_version_id) ?? 0) + 1);
      const text = isOfClasses ? row.prediction_text : null;
      const prediction = row.prediction ?? (text === null ? NaN : classes(text));
      const label = row.label ?? (row.label_text === null ? NaN : classes(row.label_text));
      inputs.add(row, prediction);
      if (!Number.isNaN(label)) outcomes.add(row, { prediction, label });
    }
  });
  return {
    rowCount: inputs.sample.seen,
    labelled: outcomes.sample.seen,
    versions,
    ...inputs.take(),
    outcomes: outcomes.take(),
  };
}

function collectInputs(model: Pick<ModelDescription, "inputs">, segments: readonly string[], atMost: number) {
  const sample = createRowSample(atMost);
  const [predictions, times] = [createNumberColumn(), createNumberColumn()];
  const statuses = createValueColumn();
  const columns = new Map(model.inputs.map((input) => [input.name, columnFor(input)]));
  const contexts = new Map(segments.filter((name) => !columns.has(name)).map((name) => [name, columnFor(undefined)]));
  const facts = collectFacts(model);
  return {
    sample,
    add(row: ScannedPrediction, prediction: number): void {
      const place = sample.next();
      facts.pass(row.at_ms);
      if (place === undefined) return;
      predictions.set(place, prediction);
      times.set(place, row.at_ms);
      statuses.set(place, row.feature_status);
      const features = parseRecord(row.features);
      facts.add(row.features, features);
      for (const [name, column] of columns) column.set(place, features[name]);
      if (contexts.size === 0) return;
      const context = row.context === null ? {} : parseRecord(row.context);
      for (const [name, column] of contexts) column.set(place, context[name]);
    },
    take: (): Pick<WindowRows, "columns" | "predictions" | "times" | "segments" | "facts" | "featureStatus"> => {
      const taken = valuesOf(columns, sample.size);
      const beside = valuesOf(contexts, sample.size);
      return {
        predictions: predictions.values(sample.size),
        times: times.values(sample.size),
        featureStatus: statuses.values(sample.size),
        columns: taken,
        segments: new Map(segments.map((name) => [name, taken.get(name) ?? beside.get(name) ?? []])),
        facts: facts.take(),
      };
    },
  };
}

function parseRecord(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function collectFacts({ inputs }: Pick<ModelDescription, "inputs">) {
  const mismatches = new Map<string, number>();
  const seen = new Set<number>();
  let [duplicates, largestGapMs] = [0, 0];
  let lastMs: number | undefined;
  return {
    pass(atMs: number): void {
      largestGapMs = Math.max(largestGapMs, atMs - (lastMs ?? atMs));
      lastMs = atMs;
    },
    add(text: string, features: Readonly<Record<string, unknown>>): void {
      const size = seen.size;
      seen.add(hashOf(text));
      if (seen.size === size) duplicates++;
      for (const { name, type } of inputs)
        if (!isOfType(features[name], type)) mismatches.set(name, (mismatches.get(name) ?? 0) + 1);
    },
    take: (): RowFacts => ({ mismatches, duplicates, largestGapMs }),
  };
}

function isOfType(value: unknown, type: ModelDescription["inputs"][number]["type"]): boolean {
  if (value === null || value === undefined) return true;
  if (type === "string") return typeof value === "string";
  if (type === "boolean") return typeof value === "boolean" || value === 0 || value === 1;
  return typeof value === "number" || typeof value === "boolean";
}

/** 53 bits: of 100,000 rows two are taken for one in a window of a million. Source: cyrb53 (public domain). */
function hashOf(text: string): number {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 2_654_435_761);
    b = Math.imul(b ^ code, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & b) + (a >>> 0);
}

function collectOutcomes(model: Pick<ModelDescription, "inputs">, segments: readonly string[], atMost: number) {
  const sample = createRowSample(atMost);
  const [labels, predictions, times] = [createNumberColumn(), createNumberColumn(), createNumberColumn()];
  const inputs = new Map(model.inputs.map((input) => [input.name, input]));
  const columns = new Map(segments.map((name) => [name, columnFor(inputs.get(name))]));
  const isInput = (name: string): boolean => inputs.has(name);
  const [needsFeatures, needsContext] = [segments.some(isInput), !segments.every(isInput)];
  return {
    sample,
    add(row: ScannedPrediction, { prediction, label }: { prediction: number; label: number }): void {
      const place = sample.next();
      if (place === undefined) return;
      labels.set(place, label);
      predictions.set(place, prediction);
      times.set(place, row.at_ms);
      const features = needsFeatures ? (JSON.parse(row.features) as Record<string, unknown>) : {};
      const context = needsContext && row.context !== null ? (JSON.parse(row.context) as Record<string, unknown>) : {};
      for (const [name, column] of columns) column.set(place, isInput(name) ? features[name] : context[name]);
    },
    take: (): WindowOutcomes => ({
      labels: labels.values(sample.size),
      predictions: predictions.values(sample.size),
      times: times.values(sample.size),
      segments: valuesOf(columns, sample.size),
    }),
  };
}

function columnFor(input: ModelDescription["inputs"][number] | undefined): SampledColumn {
  return input?.type === "float" || input?.type === "integer" ? createNumberColumn() : createValueColumn();
}

function valuesOf(columns: ReadonlyMap<string, SampledColumn>, size: number): Map<string, ArrayLike<unknown>> {
  return new Map([...columns].map(([name, column]) => [name, column.values(size)]));
}

/** Class names as numbers: the model's own order, then the order in which unknown ones appear. */
function createClassIndex(classes: ModelDescription["classes"]): (name: string) => number {
  const known = new Map((classes ?? []).map((name, index) => [String(name), index]));
  return (name) => {
    const index = known.get(name);
    if (index !== undefined) return index;
    known.set(name, known.size);
    return known.size - 1;
  };
}
