import type { Log } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import {
  type ColumnBatch,
  type DatasetReader,
  evaluateAll,
  type MetricName,
  type ModelDescription,
  pickRows,
  readModelContent,
  type ScoredSample,
  type Scorer,
  segmentsOf,
  SPLIT_COLUMN,
  TEST_SPLIT,
  toLabels,
} from "#models";
import { toColumnSample, type WatchedType } from "./column-sample.ts";
import { type ColumnSample, type DriftMethod, fits, scoreDrift } from "./drift-method.ts";
import { referenceMissing } from "./errors.ts";
import { type Estimator, learnEstimator } from "./estimator.ts";
import { type ChunkSpread, chunkRanges, spreadOf } from "./statistics/chunks.ts";
import { learnSamplingErrors, type SamplingErrors } from "./statistics/sampling-error.ts";

export type Metrics = Readonly<Partial<Record<MetricName, number>>>;

/** What a model version is compared with in production. */
export interface Reference {
  readonly version: AssetVersion;
  readonly model: ModelDescription;
  readonly dataset: AssetVersion;
  /** Input columns of the reference rows. */
  readonly columns: ReadonlyMap<string, ColumnSample>;
  /** The model's answers on those rows. */
  readonly predictions: ColumnSample;
  /** Estimates performance before labels come; learned from the held-out rows. */
  readonly estimator: Estimator | undefined;
  /** How each metric varies by chance, from the held-out rows. */
  readonly samplingErrors: SamplingErrors;
  /** How each metric varies over chunks of the held-out rows. */
  readonly metricSpread: ReadonlyMap<string, ChunkSpread>;
  /** How drift scores vary over chunks of the reference, by {@link spreadKey}; of the methods that were asked for. */
  readonly driftSpread: ReadonlyMap<string, ChunkSpread>;
  /** Held-out rows with labels, to be searched; kept when they were asked for. */
  readonly held: HeldRows | undefined;
  /** The rows that `columns` were made of; kept when they were asked for. */
  readonly rows: ColumnBatch | undefined;
  /** Input columns by `column=value`, of segments with enough rows; made when they were asked for. */
  readonly segmentColumns: ReadonlyMap<string, ReadonlyMap<string, ColumnSample>>;
  /** Metrics on the held-out rows: all of them, and by `column=value`. Empty without a split. */
  readonly performance: { readonly overall: Metrics; readonly segments: ReadonlyMap<string, Metrics> };
}

export interface ReferenceRequest {
  readonly rows: "training" | "test";
  readonly segments: readonly string[];
  readonly minRows: number;
  /** Distances whose usual values over chunks of the reference are wanted. */
  readonly spreadOf?: readonly DriftMethod[];
  /** What is kept beside what always is. */
  readonly keep?: readonly ("held" | "rows" | "segments")[];
}

/** Rows that the model did not learn from, with what it says of them and the truth. */
export interface HeldRows {
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
  readonly labels: ArrayLike<number>;
  readonly predictions: ArrayLike<number>;
}

/** Finds and keeps references. */
export interface References {
  /** @throws MONITORING_REFERENCE_MISSING when the model's record names no training data */
  get(modelVersionId: string, request: ReferenceRequest): Promise<Reference>;
}

/** Rows that columns are compared with. */
const LARGEST_SAMPLE = 100_000;
/** Held-out rows that are scored: so many that the performance on them is the one that the model was tested with. */
const MOST_HELD_OUT = 400_000;
const KEPT = 8;

/** References come from the training set in the model's record; each is made once and kept. */
export function createReferences(options: {
  readonly store: MetadataStore;
  readonly datasets: DatasetReader;
  readonly scorer: Scorer;
  readonly log: Log;
}): References {
  const kept = new Map<string, Promise<Reference>>();
  return {
    get(modelVersionId, request) {
      const key = JSON.stringify([modelVersionId, request]);
      const known = kept.get(key);
      if (known !== undefined) return known;
      const made = makeReference(modelVersionId, request, options);
      kept.set(key, made);
      made.catch(() => kept.delete(key));
      const oldest = kept.keys().next().value;
      if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
      return made;
    },
  };
}

type Options = Parameters<typeof createReferences>[0];

async function makeReference(modelVersionId: string, request: ReferenceRequest, options: Options): Promise<Reference> {
  const { store, datasets, scorer } = options;
  const version = await store.read((transaction) => getAssetVersion(transaction, { id: modelVersionId }));
  if (version === undefined)
    throw referenceMissing({ model: modelVersionId, reason: "the model version is not in the store" });
  const title = `${version.asset} version ${version.version}`;
  const { model, record } = readModelContent(version);
  const { training } = record;
  const dataset =
    training === undefined
      ? undefined
      : await store.read((transaction) => getAssetVersion(transaction, { id: training.versionId }));
  if (dataset === undefined) throw referenceMissing({ model: title, reason: "its record names no training data" });
  const known = new Set((await datasets.describe(dataset)).map((column) => column.name));
  const split = known.has(SPLIT_COLUMN);
  const held = split
    ? await readRows(
        dataset,
        { version, model, request, where: { [SPLIT_COLUMN]: TEST_SPLIT }, known, atMost: MOST_HELD_OUT },
        options,
      )
    : undefined;
  const rows =
    held !== undefined && request.rows === "test"
      ? held
      : await readRows(
          dataset,
          { version, model, request, where: split ? { [SPLIT_COLUMN]: "train" } : {}, known, atMost: LARGEST_SAMPLE },
          options,
        );
  const scores = await scorer.score(version, { rowCount: rows.rowCount, columns: rows.columns });
  const sides = {
    columns: new Map(model.inputs.map(({ name, type }) => [name, toColumnSample(rows.columns.get(name) ?? [], type)])),
    predictions: toPredictionSample(scores, model),
  };
  return {
    version,
    model,
    dataset,
    ...sides,
    rows: request.keep?.includes("rows") === true ? rows : undefined,
    segmentColumns: request.keep?.includes("segments") === true ? splitColumns(model, rows, request) : new Map(),
    driftSpread: await measureDriftSpread(model, { ...sides, rows, scores }, request.spreadOf ?? []),
    ...(held === undefined ? NOT_MEASURED : await measure(version, model, held, { scorer, request })),
  };
}

/** Values of a segment column that are compared on their own. */
const MOST_SEGMENTS = 20;

function splitColumns(
  model: ModelDescription,
  rows: Rows,
  request: ReferenceRequest,
): ReadonlyMap<string, ReadonlyMap<string, ColumnSample>> {
  const found = new Map<string, ReadonlyMap<string, ColumnSample>>();
  for (const column of request.segments) {
    for (const segment of segmentsOf(rows.columns.get(column) ?? []).slice(0, MOST_SEGMENTS)) {
      if (segment.rows.length < request.minRows) continue;
      const own = model.inputs
        .filter(({ name }) => name !== column)
        .map(
          ({ name, type }) =>
            [name, toColumnSample(pickValues(rows.columns.get(name) ?? [], segment.rows), type)] as const,
        );
      found.set(`${column}=${segment.value}`, new Map(own));
    }
  }
  return found;
}

/** The values of some rows; numbers stay numbers in eight bytes. */
export function pickValues(values: ArrayLike<unknown>, rows: Uint32Array): ArrayLike<unknown> {
  return values instanceof Float64Array
    ? Float64Array.from(rows, (row) => values[row] ?? NaN)
    : Array.from(rows, (row) => values[row]);
}

/** Answers as a column: classes are compared by category. */
export function toPredictionSample(scores: Float64Array, model: Pick<ModelDescription, "task">): ColumnSample {
  const type: WatchedType = model.task === "multiclass_classification" ? "integer" : "float";
  return toColumnSample(scores, type, { kind: model.task === "multiclass_classification" ? "categorical" : "numeric" });
}

interface Rows {
  readonly rowCount: number;
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
}

/** A random sample, so that a large training set is never in memory as a whole. */
async function readRows(
  dataset: AssetVersion,
  wanted: {
    readonly version: AssetVersion;
    readonly model: ModelDescription;
    readonly request: ReferenceRequest;
    readonly where: Readonly<Record<string, string>>;
    readonly known: ReadonlySet<string>;
    readonly atMost: number;
  },
  { datasets, scorer, log }: Options,
): Promise<Rows> {
  const { version, model, request, where, known, atMost } = wanted;
  const names = [
    ...model.inputs.map((input) => input.name),
    ...(model.label === undefined ? [] : [model.label]),
    ...request.segments,
  ];
  const columns = [...new Set(names)].filter((name) => known.has(name));
  const rows = await datasets.readColumns(dataset, { columns, where, atMost });
  const kept = answerable(rows, (await scorer.neverMissing?.(version)) ?? []);
  if (kept.rowCount < rows.rowCount)
    log.warn("rows of a reference are left out: the model refuses what they lack", {
      model: version.asset,
      version: version.version,
      leftOut: rows.rowCount - kept.rowCount,
      of: rows.rowCount,
    });
  return kept;
}

/** The rows that the model takes: it would refuse the others in production too. */
function answerable(rows: Rows, neverMissing: readonly string[]): Rows {
  const needed = neverMissing.flatMap((name) => {
    const values = rows.columns.get(name);
    return values === undefined ? [] : [{ values }];
  });
  const isThere = (value: unknown): boolean => value !== null && value !== undefined && !Number.isNaN(value);
  const kept = Array.from({ length: rows.rowCount }, (_, row) => row).filter((row) =>
    needed.every(({ values }) => isThere(values[row])),
  );
  if (kept.length === rows.rowCount) return rows;
  return {
    rowCount: kept.length,
    columns: new Map(
      Array.from(rows.columns, ([name, values]) => [
        name,
        values instanceof Float64Array
          ? Float64Array.from(kept, (row) => values[row] ?? NaN)
          : kept.map((row) => values[row]),
      ]),
    ),
  };
}

/** Names the values of one method on one column; the column is empty for the predictions. */
export function spreadKey(method: DriftMethod, column: string): string {
  return JSON.stringify([method, column]);
}

/** Each chunk of the reference against the whole of it, by every method. Source: NannyML 0.13. */
async function measureDriftSpread(
  model: ModelDescription,
  sides: Pick<Reference, "columns" | "predictions"> & { readonly rows: Rows; readonly scores: Float64Array },
  methods: readonly DriftMethod[],
): Promise<ReadonlyMap<string, ChunkSpread>> {
  const found = new Map<string, ChunkSpread>();
  if (methods.length === 0) return found;
  const ranges = chunkRanges(sides.rows.rowCount);
  const ofPredictions = model.task === "multiclass_classification" ? "integer" : "float";
  const series: readonly (readonly [string, WatchedType, ArrayLike<unknown>, ColumnSample | undefined])[] = [
    ...model.inputs.map(
      ({ name, type }) => [name, type, sides.rows.columns.get(name) ?? [], sides.columns.get(name)] as const,
    ),
    ["", ofPredictions, sides.scores, sides.predictions],
  ];
  for (const [name, type, values, whole] of series) {
    if (whole === undefined || whole.size === 0) continue;
    const chunks = ranges
      .map(([start, end]) => toColumnSample(slice(values, start, end), type, whole))
      .filter((chunk) => chunk.size > 0);
    for (const method of methods.filter((one) => fits(one, whole))) {
      const spread = spreadOf(chunks.map((chunk) => scoreDrift(whole, chunk, { method }).score));
      if (spread !== undefined) found.set(spreadKey(method, name), spread);
    }
    await new Promise(setImmediate);
  }
  return found;
}

function slice(values: ArrayLike<unknown>, start: number, end: number): ArrayLike<unknown> {
  if (values instanceof Float64Array) return values.subarray(start, end);
  return Array.from({ length: end - start }, (_, row) => values[start + row]);
}

type Measured = Pick<Reference, "performance" | "estimator" | "samplingErrors" | "metricSpread" | "held">;

const NOT_MEASURED: Measured = {
  performance: { overall: {}, segments: new Map() },
  estimator: undefined,
  samplingErrors: new Map(),
  metricSpread: new Map(),
  held: undefined,
};

async function measure(
  version: AssetVersion,
  model: ModelDescription,
  rows: Rows,
  options: { readonly scorer: Scorer; readonly request: ReferenceRequest },
): Promise<Measured> {
  const truth = model.label === undefined ? undefined : rows.columns.get(model.label);
  if (truth === undefined || rows.rowCount === 0 || model.task === "outputs") return NOT_MEASURED;
  const labels = toLabels(truth, model);
  if (labels.every(Number.isNaN)) return NOT_MEASURED;
  const sample: ScoredSample = {
    labels,
    predictions: await options.scorer.score(version, { rowCount: rows.rowCount, columns: rows.columns }),
  };
  const segments = new Map<string, Metrics>();
  for (const column of options.request.segments) {
    for (const segment of segmentsOf(rows.columns.get(column) ?? [])) {
      if (segment.rows.length >= options.request.minRows)
        segments.set(`${column}=${segment.value}`, evaluateAll(pickRows(sample, segment.rows), model.task));
    }
  }
  return {
    performance: { overall: evaluateAll(sample, model.task), segments },
    estimator: await learnEstimator({ version, model, sample, rows }, options.scorer),
    samplingErrors: learnSamplingErrors(sample, model.task),
    metricSpread: measureMetricSpread(sample, model),
    held: options.request.keep?.includes("held") === true ? { columns: rows.columns, ...sample } : undefined,
  };
}

function measureMetricSpread(sample: ScoredSample, model: ModelDescription): ReadonlyMap<string, ChunkSpread> {
  const known = Uint32Array.from({ length: sample.labels.length }, (_, row) => row).filter(
    (row) => !Number.isNaN(sample.labels[row] ?? NaN) && !Number.isNaN(sample.predictions[row] ?? NaN),
  );
  const values = new Map<string, number[]>();
  for (const [start, end] of chunkRanges(known.length))
    for (const [metric, value] of Object.entries(evaluateAll(pickRows(sample, known.subarray(start, end)), model.task)))
      values.set(metric, [...(values.get(metric) ?? []), value]);
  return new Map(
    [...values].flatMap(([metric, found]) => {
      const spread = spreadOf(found);
      return spread === undefined ? [] : [[metric, spread] as const];
    }),
  );
}
