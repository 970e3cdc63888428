import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import {
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
import { isCategorical, toColumnSample, type WatchedType } from "./column-sample.ts";
import type { ColumnSample } from "./drift-method.ts";
import { referenceMissing } from "./errors.ts";
import { type Calibration, learnCalibration } from "./statistics/calibration.ts";

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
  /**
   * How the probabilities of a binary classifier are read before labels come; learned from the held-out rows. Undefined
   * without enough of them.
   */
  readonly calibration: Calibration | undefined;
  /** Metrics on the held-out rows: all of them, and by `column=value`. Empty without a split. */
  readonly performance: { readonly overall: Metrics; readonly segments: ReadonlyMap<string, Metrics> };
}

export interface ReferenceRequest {
  readonly rows: "training" | "test";
  readonly segments: readonly string[];
  readonly minRows: number;
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
        { model, request, where: { [SPLIT_COLUMN]: TEST_SPLIT }, known, atMost: MOST_HELD_OUT },
        options,
      )
    : undefined;
  const rows =
    held !== undefined && request.rows === "test"
      ? held
      : await readRows(
          dataset,
          { model, request, where: split ? { [SPLIT_COLUMN]: "train" } : {}, known, atMost: LARGEST_SAMPLE },
          options,
        );
  const scores = await scorer.score(version, { rowCount: rows.rowCount, columns: rows.columns });
  return {
    version,
    model,
    dataset,
    columns: new Map(model.inputs.map(({ name, type }) => [name, toColumnSample(rows.columns.get(name) ?? [], type)])),
    predictions: toPredictionSample(scores, model),
    ...(held === undefined ? NOT_MEASURED : await measure(version, model, held, { scorer, request })),
  };
}

/** Answers as a column: classes are compared by category. */
export function toPredictionSample(scores: Float64Array, model: Pick<ModelDescription, "task">): ColumnSample {
  const type: WatchedType = model.task === "multiclass_classification" ? "integer" : "float";
  return toColumnSample(scores, type, model.task === "multiclass_classification" || isCategorical(scores, type));
}

interface Rows {
  readonly rowCount: number;
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
}

/** A random sample, so that a large training set is never in memory as a whole. */
async function readRows(
  dataset: AssetVersion,
  wanted: {
    readonly model: ModelDescription;
    readonly request: ReferenceRequest;
    readonly where: Readonly<Record<string, string>>;
    readonly known: ReadonlySet<string>;
    readonly atMost: number;
  },
  { datasets }: Options,
): Promise<Rows> {
  const { model, request, where, known, atMost } = wanted;
  const names = [
    ...model.inputs.map((input) => input.name),
    ...(model.label === undefined ? [] : [model.label]),
    ...request.segments,
  ];
  const columns = [...new Set(names)].filter((name) => known.has(name));
  return datasets.readColumns(dataset, { columns, where, atMost });
}

type Measured = Pick<Reference, "performance" | "calibration">;

const NOT_MEASURED: Measured = { performance: { overall: {}, segments: new Map() }, calibration: undefined };

async function measure(
  version: AssetVersion,
  model: ModelDescription,
  rows: Rows,
  options: { readonly scorer: Scorer; readonly request: ReferenceRequest },
): Promise<Measured> {
  const truth = model.label === undefined ? undefined : rows.columns.get(model.label);
  if (truth === undefined || rows.rowCount === 0) return NOT_MEASURED;
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
  const calibration = model.task === "binary_classification" ? learnCalibration(sample.predictions, labels) : undefined;
  return { performance: { overall: evaluateAll(sample, model.task), segments }, calibration };
}
