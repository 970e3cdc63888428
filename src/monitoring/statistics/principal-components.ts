import { eigen } from "./symmetric-eigen.ts";

/** How rows of several columns lie together, learned from a reference. */
export interface ComponentModel {
  /** Directions that are kept, and all there are. */
  readonly kept: number;
  readonly of: number;
  /** Mean distance of rows from what the kept directions make of them, in standard deviations. */
  error(columns: readonly ArrayLike<unknown>[], start?: number, end?: number): number;
}

/** Share of the variance that the kept directions explain at least. */
const EXPLAINED = 0.65;

/**
 * Learns the directions in which the rows of a reference spread most.
 *
 * Missing numbers become the mean, missing categories the most frequent one; categories become their share of the
 * reference's rows; columns are standardised.
 *
 * @param columns one value per row; a column is of numbers when all of its values are
 * @returns undefined without rows or columns
 * Pure. Source: NannyML 0.13 `DataReconstructionDriftCalculator`.
 */
export function learnComponents(columns: readonly ArrayLike<unknown>[]): ComponentModel | undefined {
  const rowCount = columns[0]?.length ?? 0;
  if (rowCount < 2) return undefined;
  const encoders = columns.map(createEncoder);
  const encoded = columns.map((column, index) => encodeColumn(column, encoders[index], 0, rowCount));
  const scales = encoded.map((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / rowCount;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rowCount);
    return { mean, deviation: deviation === 0 ? 1 : deviation };
  });
  const scale = (values: Float64Array, index: number): Float64Array => {
    const { mean = 0, deviation = 1 } = scales[index] ?? {};
    return values.map((value) => (value - mean) / deviation);
  };
  const scaled = encoded.map(scale);
  const covariance = scaled.map((left) =>
    scaled.map((right) => {
      let sum = 0;
      for (let row = 0; row < rowCount; row++) sum += (left[row] ?? 0) * (right[row] ?? 0);
      return sum / (rowCount - 1);
    }),
  );
  const { values, vectors } = eigen(covariance);
  const order = values.map((_, index) => index).sort((left, right) => (values[right] ?? 0) - (values[left] ?? 0));
  const total = values.reduce((sum, value) => sum + value, 0);
  let [explained, kept] = [0, 0];
  while (kept < order.length && explained <= EXPLAINED * total) explained += values[order[kept++] ?? 0] ?? 0;
  const directions = order.slice(0, kept).map((index) => vectors.map((row) => row[index] ?? 0));
  return {
    kept,
    of: columns.length,
    error(rows, start = 0, end = rows[0]?.length ?? 0) {
      const current = rows.map((column, index) => scale(encodeColumn(column, encoders[index], start, end), index));
      let sum = 0;
      for (let row = 0; row < end - start; row++) sum += distance(current, directions, row);
      return sum / (end - start);
    },
  };
}

/** Of one row from its projection. */
function distance(columns: readonly Float64Array[], directions: readonly (readonly number[])[], row: number): number {
  const rest = columns.map((column) => column[row] ?? 0);
  const whole = [...rest];
  for (const direction of directions) {
    const along = direction.reduce((sum, part, index) => sum + part * (whole[index] ?? 0), 0);
    for (const [index, part] of direction.entries()) rest[index] = (rest[index] ?? 0) - along * part;
  }
  return Math.sqrt(rest.reduce((sum, value) => sum + value ** 2, 0));
}

type Encoder = (value: unknown) => number;

function encodeColumn(
  column: ArrayLike<unknown>,
  encoder: Encoder | undefined,
  start: number,
  end: number,
): Float64Array {
  return Float64Array.from({ length: end - start }, (_, row) => encoder?.(column[start + row]) ?? 0);
}

function isMissing(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === "number" && !Number.isFinite(value));
}

function createEncoder(column: ArrayLike<unknown>): Encoder {
  const known = Array.from({ length: column.length }, (_, row) => column[row]).filter((value) => !isMissing(value));
  if (known.every((value) => typeof value === "number" || typeof value === "bigint")) {
    const mean = known.length === 0 ? 0 : known.reduce((sum: number, value) => sum + Number(value), 0) / known.length;
    return (value) => (isMissing(value) ? mean : Number(value));
  }
  const nameOf = (value: unknown): string => (typeof value === "string" ? value : String(value));
  const counts = new Map<string, number>();
  for (const value of known) counts.set(nameOf(value), (counts.get(nameOf(value)) ?? 0) + 1);
  const [top = ""] = [...counts].sort(([left, n], [right, m]) => m - n || (left < right ? -1 : 1))[0] ?? [];
  counts.set(top, (counts.get(top) ?? 0) + column.length - known.length);
  return (value) => (counts.get(isMissing(value) ? top : nameOf(value)) ?? 0) / column.length;
}
