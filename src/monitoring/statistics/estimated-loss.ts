import { fitTrees, type TreeEnsemble } from "./gradient-boosting.ts";

/** What a regression's errors are learned to depend on: its inputs and its answers. */
export interface LossColumns {
  /** Numbers, or anything that is compared by its text. One value per row. */
  readonly inputs: readonly ArrayLike<unknown>[];
  readonly predictions: Float64Array;
}

/** Errors of a regression, learned from rows with labels. */
export interface LossModel {
  /** Rows that it learned from. */
  readonly n: number;
  /** The errors that such rows have on average. */
  estimate(rows: LossColumns): { readonly mae: number; readonly rmse: number };
}

const LEAST_ROWS = 200;
/** More rows hardly change the trees; they are taken evenly. */
const MOST_ROWS = 30_000;

/**
 * Direct loss estimation: learns the absolute and the squared error of each row from its inputs and the model's answer,
 * so that the errors of rows without labels can be estimated. Estimates below 0 count as 0.
 *
 * Assumes that only the inputs changed, not what they mean.
 *
 * @param labels one per row; rows without one (NaN) are left out
 * @returns undefined for fewer than 200 rows with a label
 * Source: NannyML 0.13 DLE; the trees are {@link fitTrees} instead of LightGBM's, categories are ordered by their mean
 * error.
 */
export async function learnLoss(rows: LossColumns, labels: ArrayLike<number>): Promise<LossModel | undefined> {
  const known = Array.from(rows.predictions.keys()).filter(
    (row) => !Number.isNaN(labels[row] ?? NaN) && !Number.isNaN(rows.predictions[row]),
  );
  if (known.length < LEAST_ROWS) return undefined;
  const step = Math.max(1, known.length / MOST_ROWS);
  const kept = Array.from(
    { length: Math.floor(known.length / step) },
    (_, index) => known[Math.floor(index * step)] ?? 0,
  );
  const absolute = Float64Array.from(kept, (row) => Math.abs((labels[row] ?? 0) - (rows.predictions[row] ?? 0)));
  const encoders = rows.inputs.map((column) => createEncoder(column, kept, absolute));
  const encode = (of: LossColumns, places: readonly number[]): Float64Array[] => [
    ...of.inputs.map((column, index) => Float64Array.from(places, (row) => encoders[index]?.(column[row]) ?? NaN)),
    Float64Array.from(places, (row) => of.predictions[row] ?? NaN),
  ];
  const columns = encode(rows, kept);
  const models: readonly TreeEnsemble[] = [
    await fitTrees(columns, absolute),
    await fitTrees(
      columns,
      absolute.map((error) => error ** 2),
    ),
  ];
  return {
    n: kept.length,
    estimate(current) {
      const places = Array.from(current.predictions.keys()).filter((row) => !Number.isNaN(current.predictions[row]));
      const encoded = encode(current, places);
      const [mae = NaN, mse = NaN] = models.map(
        (model) => model.predict(encoded).reduce((sum, loss) => sum + Math.max(0, loss), 0) / places.length,
      );
      return { mae, rmse: Math.sqrt(mse) };
    },
  };
}

/** Numbers stay; other values become the place of their category among those with smaller mean errors. */
function createEncoder(
  column: ArrayLike<unknown>,
  rows: readonly number[],
  errors: Float64Array,
): (value: unknown) => number {
  if (rows.every((row) => isNumberLike(column[row]))) return toNumber;
  const found = new Map<string, { sum: number; count: number }>();
  for (const [index, row] of rows.entries()) {
    const value = column[row];
    if (value === null || value === undefined) continue;
    const name = nameOf(value);
    const { sum, count } = found.get(name) ?? { sum: 0, count: 0 };
    found.set(name, { sum: sum + (errors[index] ?? 0), count: count + 1 });
  }
  const order = [...found].sort(([, left], [, right]) => left.sum / left.count - right.sum / right.count);
  const places = new Map(order.map(([name], place) => [name, place]));
  return (value) => (value === null || value === undefined ? NaN : (places.get(nameOf(value)) ?? NaN));
}

function nameOf(value: unknown): string {
  return typeof value === "string" ? value : String(value);
}

function isNumberLike(value: unknown): boolean {
  return value === null || value === undefined || typeof value === "number" || typeof value === "bigint";
}

function toNumber(value: unknown): number {
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : NaN;
}
