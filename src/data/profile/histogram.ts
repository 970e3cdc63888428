import type { MeasuredColumn } from "./measured-column.ts";

export const HISTOGRAM_BINS = 20;

/** The finite range of a column; of times in milliseconds. */
export interface Bounds {
  readonly column: MeasuredColumn;
  readonly low: number;
  readonly high: number;
}

/** Edges of equal bins from the smallest to the largest value; written so that no range overflows. */
export function edgesOf({ low, high }: Bounds): number[] {
  return Array.from({ length: HISTOGRAM_BINS + 1 }, (_, edge) =>
    edge === 0
      ? low
      : edge === HISTOGRAM_BINS
        ? high
        : low * (1 - edge / HISTOGRAM_BINS) + high * (edge / HISTOGRAM_BINS),
  );
}

/** The same edge in SQL over `low` and `high`, digit by digit. */
export function edgeSql(edge: string): string {
  return `case ${edge} when 0 then low when ${HISTOGRAM_BINS} then high else low * (1::DOUBLE - ${edge} / ${HISTOGRAM_BINS}::DOUBLE) + high * (${edge} / ${HISTOGRAM_BINS}::DOUBLE) end`;
}

/** A number as SQL, exactly. */
export function literal(value: number): string {
  return `'${String(value)}'::DOUBLE`;
}
