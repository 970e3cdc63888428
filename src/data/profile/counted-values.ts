import type { ColumnValues } from "../analytics/columns.ts";
import { type MeasuredColumn, shownKey } from "./measured-column.ts";

/** The different values of a column, finite ones in order, each with how often it came. */
export interface CountedValues {
  readonly nullCount: number;
  readonly nanCount: number;
  readonly positiveInfinityCount: number;
  readonly negativeInfinityCount: number;
  /** Finite numbers, ascending; times in microseconds. Of texts there are none. */
  readonly numbers: Float64Array;
  /** Keys of texts; of numbers their exact texts, where they say more. In the order of `numbers`. */
  readonly texts: readonly string[] | undefined;
  readonly counts: Float64Array;
}

/** Values of one column as they are fetched, one per row, or one per different value with its count. */
export interface FetchedValues {
  readonly numbers: Float64Array | undefined;
  readonly texts: readonly (string | null)[] | undefined;
  readonly valid: Uint8Array | undefined;
  readonly counts: Float64Array | undefined;
  readonly rows: number;
}

export function toFetched(
  numbers: ColumnValues | undefined,
  texts: ColumnValues | undefined,
  counts: ColumnValues | undefined,
): FetchedValues {
  const rows = (numbers ?? texts)?.values.length ?? 0;
  return {
    numbers: numbers?.kind === "number" ? numbers.values : undefined,
    valid: numbers?.kind === "number" ? numbers.valid : undefined,
    texts: texts?.kind === "text" ? texts.values : undefined,
    counts: counts?.kind === "number" ? counts.values : undefined,
    rows,
  };
}

export function countValues(column: MeasuredColumn, fetched: FetchedValues): CountedValues {
  if (fetched.numbers === undefined) return countTexts(fetched);
  return fetched.texts === undefined && fetched.counts === undefined
    ? countNumbers(column, fetched)
    : countExactly(column, fetched);
}

const NONE = { nullCount: 0, nanCount: 0, positiveInfinityCount: 0, negativeInfinityCount: 0 };

function countTexts({ texts = [], counts }: FetchedValues): CountedValues {
  const found = new Map<string, number>();
  let nullCount = 0;
  for (const [row, text] of texts.entries()) {
    const count = counts?.[row] ?? 1;
    if (text === null) nullCount += count;
    else found.set(text, (found.get(text) ?? 0) + count);
  }
  return {
    ...NONE,
    nullCount,
    numbers: new Float64Array(0),
    texts: [...found.keys()],
    counts: Float64Array.from(found.values()),
  };
}

type OddCounts = { -readonly [Name in keyof typeof NONE]: number };

/** True for a finite value; others are counted. */
function isCountable(value: number, isValid: boolean, odd: OddCounts, count: number): boolean {
  if (!isValid) odd.nullCount += count;
  else if (Number.isNaN(value)) odd.nanCount += count;
  else if (value === Infinity) odd.positiveInfinityCount += count;
  else if (value === -Infinity) odd.negativeInfinityCount += count;
  else return true;
  return false;
}

function countNumbers(column: MeasuredColumn, { numbers = new Float64Array(0), valid }: FetchedValues): CountedValues {
  const odd: OddCounts = { ...NONE };
  const values = new Float64Array(numbers.length);
  let [known, isSorted] = [0, true];
  let [low, high] = [Infinity, -Infinity];
  for (let row = 0; row < numbers.length; row++) {
    const value = numbers[row] ?? 0;
    // The difference is NaN unless the value is finite.
    if ((value - value !== 0 || valid !== undefined) && !isCountable(value, valid?.[row] !== 0, odd, 1)) continue;
    // Numbers and times of rows often come in order.
    if (value < high) isSorted = false;
    if (value < low) low = value;
    if (value > high) high = value;
    values[known++] = value;
  }
  const finite = values.subarray(0, known);
  const step = column.type === "DATE" ? MICROSECONDS_PER_DAY : 1;
  const counted = isSorted ? undefined : countWhole(finite, { low, high, step });
  return { ...odd, texts: undefined, ...(counted ?? countSorted(isSorted ? finite : finite.sort())) };
}

type NumberCounts = Pick<CountedValues, "numbers" | "counts">;

const MICROSECONDS_PER_DAY = 86_400_000_000;
/** So many places for each value still cost less than sorting. */
const PLACES_FOR_A_VALUE = 4;

/** Counts multiples of a step that are near each other; undefined where the values are no such ones. */
function countWhole(
  values: Float64Array,
  { low, high, step }: { readonly low: number; readonly high: number; readonly step: number },
): NumberCounts | undefined {
  const places = (high - low) / step + 1;
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || places > values.length * PLACES_FOR_A_VALUE)
    return undefined;
  const counts = new Float64Array(Math.ceil(places));
  let size = 0;
  for (const value of values) {
    const place = (value - low) / step;
    if (place !== Math.trunc(place)) return undefined;
    if (counts[place] === 0) size++;
    counts[place] = (counts[place] ?? 0) + 1;
  }
  const found = { numbers: new Float64Array(size), counts: new Float64Array(size) };
  let index = 0;
  for (let place = 0; place < counts.length; place++) {
    const count = counts[place] ?? 0;
    if (count === 0) continue;
    found.numbers[index] = low + place * step;
    found.counts[index++] = count;
  }
  return found;
}

function countSorted(values: Float64Array): NumberCounts {
  const counts = new Float64Array(values.length);
  let size = 0;
  for (const value of values) {
    // Zeros of both signs are one value.
    if (size > 0 && values[size - 1] === value) counts[size - 1] = (counts[size - 1] ?? 0) + 1;
    else {
      values[size] = value;
      counts[size++] = 1;
    }
  }
  return { numbers: values.slice(0, size), counts: counts.slice(0, size) };
}

interface ExactValue {
  readonly number: number;
  readonly text: string;
  count: number;
}

/** Values that are told apart by their texts, or come with their counts. */
function countExactly(column: MeasuredColumn, fetched: FetchedValues): CountedValues {
  const odd: OddCounts = { ...NONE };
  const { numbers = new Float64Array(0), texts, valid, counts } = fetched;
  const found = new Map<string | number, ExactValue>();
  for (let row = 0; row < numbers.length; row++) {
    const [number, count] = [numbers[row] ?? 0, counts?.[row] ?? 1];
    if (!isCountable(number, valid === undefined || valid[row] === 1, odd, count)) continue;
    const text = texts?.[row] ?? "";
    const key = texts === undefined || column.type === "FLOAT" ? number + 0 : text;
    const same = found.get(key);
    if (same === undefined) found.set(key, { number, text, count });
    else same.count += count;
  }
  return ordered(odd, [...found.values()], texts !== undefined);
}

function ordered(odd: OddCounts, values: ExactValue[], isTexted: boolean): CountedValues {
  values.sort((left, right) => compareExactly(left, right));
  return {
    ...odd,
    numbers: Float64Array.from(values, ({ number }) => number),
    texts: isTexted ? values.map(({ text }) => text) : undefined,
    counts: Float64Array.from(values, ({ count }) => count),
  };
}

/** Numbers of many digits differ where their DOUBLEs do not; those of a column have as many digits behind the point. */
export function compareExactly(
  left: { readonly number: number; readonly text: string | undefined },
  right: { readonly number: number; readonly text: string | undefined },
): number {
  if (left.number !== right.number) return left.number < right.number ? -1 : 1;
  if (left.text === right.text || left.text === undefined || right.text === undefined) return 0;
  if (!DIGITS.test(left.text) || !DIGITS.test(right.text)) return 0;
  const [one, other] = [wholeOf(left.text), wholeOf(right.text)];
  return one < other ? -1 : one > other ? 1 : 0;
}

const DIGITS = /^-?\d+(\.\d+)?$/;

function wholeOf(text: string): bigint {
  return BigInt(text.replace(".", ""));
}

/** Both together. */
export function mergeCounted(column: MeasuredColumn, left: CountedValues, right: CountedValues): CountedValues {
  const join = (one: Float64Array, other: Float64Array): Float64Array => {
    const joined = new Float64Array(one.length + other.length);
    joined.set(one);
    joined.set(other, one.length);
    return joined;
  };
  const isTexted = column.number === undefined || left.texts !== undefined || right.texts !== undefined;
  const texts = isTexted ? [...(left.texts ?? []), ...(right.texts ?? [])] : undefined;
  const merged = countValues(column, {
    numbers: column.number === undefined ? undefined : join(left.numbers, right.numbers),
    texts,
    valid: undefined,
    counts: join(left.counts, right.counts),
    rows: left.counts.length + right.counts.length,
  });
  return {
    ...merged,
    nullCount: left.nullCount + right.nullCount,
    nanCount: left.nanCount + right.nanCount,
    positiveInfinityCount: left.positiveInfinityCount + right.positiveInfinityCount,
    negativeInfinityCount: left.negativeInfinityCount + right.negativeInfinityCount,
  };
}

/** One value for each row, in no order. */
export function expandCounted(column: MeasuredColumn, counted: CountedValues): FetchedValues {
  const { nullCount, nanCount, positiveInfinityCount, negativeInfinityCount, numbers, texts, counts } = counted;
  const rows = counts.reduce(
    (sum, count) => sum + count,
    nullCount + nanCount + positiveInfinityCount + negativeInfinityCount,
  );
  const values = new Float64Array(rows).fill(Number.NaN);
  const valid = new Uint8Array(rows).fill(1);
  const keys: (string | null)[] | undefined =
    texts === undefined ? undefined : Array.from({ length: rows }, () => (column.number === undefined ? null : ""));
  let row = 0;
  for (let index = 0; index < counts.length; index++)
    for (let time = 0; time < (counts[index] ?? 0); time++, row++) {
      values[row] = numbers[index] ?? Number.NaN;
      if (keys !== undefined) keys[row] = texts?.[index] ?? null;
    }
  for (const [value, count] of [
    [Infinity, positiveInfinityCount],
    [-Infinity, negativeInfinityCount],
    [Number.NaN, nanCount],
  ] as const) {
    values.fill(value, row, row + count);
    row += count;
  }
  valid.fill(0, row);
  return {
    numbers: column.number === undefined ? undefined : values,
    texts: column.number === undefined ? (keys ?? Array.from({ length: rows }, () => null)) : keys,
    valid: column.number === undefined ? undefined : valid,
    counts: undefined,
    rows,
  };
}

/** How many values there are, but NaN; infinities are values. */
export function distinctOf({ counts, positiveInfinityCount, negativeInfinityCount }: CountedValues): number {
  return counts.length + (positiveInfinityCount > 0 ? 1 : 0) + (negativeInfinityCount > 0 ? 1 : 0);
}

export const QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const;

/** Linear between neighbours, as numpy's default; undefined where there is no number. */
export function quantilesOf({ numbers, counts }: CountedValues): Readonly<Record<string, number>> | undefined {
  if (numbers.length === 0) return undefined;
  const total = counts.reduce((sum, count) => sum + count, 0);
  let [index, upto] = [0, counts[0] ?? 0];
  const at = (position: number): number => {
    while (upto <= position) upto += counts[++index] ?? 0;
    return numbers[index] ?? 0;
  };
  return Object.fromEntries(
    QUANTILES.map((quantile) => {
      const position = quantile * (total - 1);
      const [low, share] = [at(Math.floor(position)), position - Math.floor(position)];
      const next = upto <= Math.ceil(position) ? (numbers[index + 1] ?? 0) : low;
      return [String(quantile), low === next ? low : low * (1 - share) + next * share];
    }),
  );
}

/** A value as it is shown, and how often it came. */
export interface ShownCount {
  /** A number, or exactly what it is. */
  readonly number: number | undefined;
  readonly text: string | undefined;
  readonly count: number;
}

/** The most frequent values; of equally frequent ones the smallest. */
export function topOf(column: MeasuredColumn, counted: CountedValues, size: number): readonly ShownCount[] {
  const top: ShownCount[] = [];
  const isBefore = (left: ShownCount, right: ShownCount): boolean =>
    left.count !== right.count
      ? left.count > right.count
      : left.number === undefined
        ? (left.text ?? "") < (right.text ?? "")
        : left.number < (right.number ?? 0);
  const consider = (value: ShownCount): void => {
    const last = top.at(-1);
    if (top.length >= size && last !== undefined && !isBefore(value, last)) return;
    const place = top.findIndex((other) => isBefore(value, other));
    top.splice(place < 0 ? top.length : place, 0, value);
    if (top.length > size) top.pop();
  };
  const { numbers, texts, counts, positiveInfinityCount, negativeInfinityCount } = counted;
  let least = 0;
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index] ?? 0;
    if (count < least) continue;
    const number = column.number === undefined ? undefined : numbers[index];
    consider({ number, text: texts?.[index], count });
    least = top.length < size ? 0 : (top.at(-1)?.count ?? 0);
  }
  if (positiveInfinityCount > 0) consider({ number: Infinity, text: undefined, count: positiveInfinityCount });
  if (negativeInfinityCount > 0) consider({ number: -Infinity, text: undefined, count: negativeInfinityCount });
  return column.number === undefined
    ? top.map(({ text = "", count }) => ({ number: undefined, text: shownKey(column, text).text, count }))
    : top;
}

/** Every value, in order. */
export function allOf({ numbers, texts, counts }: CountedValues): readonly ShownCount[] {
  return Array.from(counts, (count, index) => ({ number: numbers[index], text: texts?.[index], count }));
}
