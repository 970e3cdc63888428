import type { MetadataStore } from "#metadata-store";
import { type EndpointKey, scanPredictions, type ScannedPrediction } from "#metadata-store/serving";
import type { ModelDescription } from "#models";
import { createNumberColumn, createRowSample, createValueColumn, type SampledColumn } from "./row-sample.ts";

/** Rows of a window that are compared: as many as a reference has. Above it they are a uniform sample. */
const LARGEST_SAMPLE = 100_000;
/** Values of all columns of the sample: a wide model has fewer rows of it. */
const MOST_VALUES = 8_000_000;
const SMALLEST_SAMPLE = 10_000;
const ROWS_PER_PAGE = 1000;

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
  /** Probability, value or class index; NaN where the model gave none. One per prediction sampled. */
  readonly predictions: Float64Array;
  /** Rows with a label, sampled on their own. */
  readonly outcomes: WindowOutcomes;
}

/** Rows of a window whose truth is known; all columns have the same length. */
export interface WindowOutcomes {
  readonly labels: Float64Array;
  readonly predictions: Float64Array;
  /** Columns that segments are made of, as asked for; null where missing. */
  readonly segments: ReadonlyMap<string, ArrayLike<unknown>>;
}

/** Reads a time range page by page. */
async function scanWindow(
  store: MetadataStore,
  key: EndpointKey,
  range: { readonly fromMs: number; readonly toMs: number },
  use: (page: readonly ScannedPrediction[]) => void,
): Promise<void> {
  let after: readonly [number, string] | undefined;
  for (;;) {
    const page = await store.readLong((transaction) =>
      scanPredictions(transaction, { ...key, ...range, after, limit: ROWS_PER_PAGE }),
    );
    use(page.filter((row) => row.arm !== "shadow"));
    const last = page.at(-1);
    if (last === undefined || page.length < ROWS_PER_PAGE) return;
    after = [last.at_ms, last.id];
    // Lets requests be answered between pages.
    await new Promise(setImmediate);
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
  store: MetadataStore,
  key: EndpointKey,
  range: WindowRange,
  model: Pick<ModelDescription, "inputs" | "classes">,
): Promise<WindowRows> {
  const widest = Math.floor(MOST_VALUES / Math.max(1, model.inputs.length));
  const { atMost = Math.min(LARGEST_SAMPLE, Math.max(SMALLEST_SAMPLE, widest)) } = range;
  const versions = new Map<string, number>();
  const classes = createClassIndex(model.classes);
  const inputs = collectInputs(model, atMost);
  const outcomes = collectOutcomes(model, range.segments, atMost);
  await scanWindow(store, key, { fromMs: range.fromMs, toMs: range.toMs }, (page) => {
    for (const row of page) {
      if (isOnTrial(row, range)) continue;
      versions.set(row.model_version_id, (versions.get(row.model_version_id) ?? 0) + 1);
      const prediction = row.prediction ?? (row.prediction_text === null ? NaN : classes(row.prediction_text));
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

function collectInputs(model: Pick<ModelDescription, "inputs">, atMost: number) {
  const sample = createRowSample(atMost);
  const predictions = createNumberColumn();
  const columns = new Map(model.inputs.map((input) => [input.name, columnFor(input)]));
  return {
    sample,
    add(row: ScannedPrediction, prediction: number): void {
      const place = sample.next();
      if (place === undefined) return;
      predictions.set(place, prediction);
      const features = JSON.parse(row.features) as Record<string, unknown>;
      for (const [name, column] of columns) column.set(place, features[name]);
    },
    take: (): Pick<WindowRows, "columns" | "predictions"> => ({
      predictions: predictions.values(sample.size),
      columns: valuesOf(columns, sample.size),
    }),
  };
}

function collectOutcomes(model: Pick<ModelDescription, "inputs">, segments: readonly string[], atMost: number) {
  const sample = createRowSample(atMost);
  const [labels, predictions] = [createNumberColumn(), createNumberColumn()];
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
      const features = needsFeatures ? (JSON.parse(row.features) as Record<string, unknown>) : {};
      const context = needsContext && row.context !== null ? (JSON.parse(row.context) as Record<string, unknown>) : {};
      for (const [name, column] of columns) column.set(place, isInput(name) ? features[name] : context[name]);
    },
    take: (): WindowOutcomes => ({
      labels: labels.values(sample.size),
      predictions: predictions.values(sample.size),
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
