import { nearestName } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { columnMissing, testDataMissing } from "./errors.ts";
import type { ModelDescription } from "./model-description.ts";
import { readModelContent } from "./model-version.ts";
import type { ColumnBatch, DatasetReader } from "./ports.ts";

/** Column that a training set with a split carries, and the value of its held-out rows. */
export const SPLIT_COLUMN = "split";
export const TEST_SPLIT = "test";

/** Rows to test a model on. */
export interface TestData {
  readonly version: AssetVersion;
  readonly where: Readonly<Record<string, string | number | boolean>>;
}

/**
 * The rows a model is tested on: the dataset that the step names (its held-out rows, if it has a split), or the
 * held-out rows of the training set that the model was made from.
 *
 * @throws MODELS_TEST_DATA_MISSING
 */
export async function chooseTestData(
  model: AssetVersion,
  named: AssetVersion | undefined,
  { store, datasets }: { readonly store: MetadataStore; readonly datasets: DatasetReader },
): Promise<TestData> {
  const { record } = readModelContent(model);
  const facts = { model: model.asset, version: model.version };
  const training = record.training;
  const version =
    named ??
    (training === undefined
      ? undefined
      : await store.read((transaction) => getAssetVersion(transaction, { id: training.versionId })));
  if (version === undefined) throw testDataMissing({ ...facts, reason: "its record names no training data" });
  const columns = await datasets.describe(version);
  if (columns.some(({ name }) => name === SPLIT_COLUMN)) return { version, where: { [SPLIT_COLUMN]: TEST_SPLIT } };
  if (version.id === training?.versionId) {
    throw testDataMissing({
      ...facts,
      reason: `its training data ${version.asset} ${version.version} have no column "${SPLIT_COLUMN}", so no row was held out`,
    });
  }
  return { version, where: {} };
}

/** @throws MODELS_COLUMN_MISSING */
export async function readTestRows(
  data: TestData,
  columns: readonly string[],
  datasets: DatasetReader,
): Promise<ColumnBatch> {
  const known = (await datasets.describe(data.version)).map(({ name }) => name);
  for (const column of columns) {
    if (!known.includes(column))
      throw columnMissing({
        dataset: `${data.version.asset} ${data.version.version}`,
        column,
        columns: known,
        nearest: nearestName(column, known),
      });
  }
  return datasets.readColumns(data.version, { columns: [...new Set(columns)], where: data.where });
}

/** Labels as numbers: class index, or the value itself for a regression. A missing label is NaN. */
export function toLabels(values: ArrayLike<unknown>, model: Pick<ModelDescription, "task" | "classes">): Float64Array {
  const classes = model.classes?.map(String);
  return Float64Array.from({ length: values.length }, (_, row) => {
    const value = values[row];
    if (value === null || value === undefined) return Number.NaN;
    if (classes !== undefined && model.task !== "regression") {
      const index = classes.indexOf(typeof value === "string" ? value : JSON.stringify(value));
      // A label column of booleans or 0/1 may come with classes written the other way.
      if (index >= 0) return index;
    }
    return typeof value === "boolean" ? (value ? 1 : 0) : Number(value);
  });
}
