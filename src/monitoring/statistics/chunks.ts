/** How a value varies over chunks of the reference: what is usual. */
export interface ChunkSpread {
  readonly mean: number;
  /** Standard deviation of the population of chunks. */
  readonly deviation: number;
  readonly chunks: number;
}

const CHUNKS = 10;

/**
 * Row ranges of a reference, `[start, end)`: ten of equal size, and what is left as one more.
 *
 * Pure. Source: NannyML 0.13, default chunker.
 */
export function chunkRanges(rowCount: number): readonly (readonly [number, number])[] {
  const size = Math.floor(rowCount / CHUNKS);
  if (size === 0) return [];
  const ranges = Array.from({ length: CHUNKS }, (_, index) => [index * size, (index + 1) * size] as const);
  return rowCount === size * CHUNKS ? ranges : [...ranges, [size * CHUNKS, rowCount] as const];
}

/**
 * Mean and deviation of values that are numbers; undefined for fewer than two.
 *
 * Pure. Source: NannyML 0.13 `StandardDeviationThreshold` (numpy `std`, ddof 0).
 */
export function spreadOf(values: readonly number[]): ChunkSpread | undefined {
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length < 2) return undefined;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
  return { mean, deviation: Math.sqrt(variance), chunks: known.length };
}
