import type { FetchedValues } from "./counted-values.ts";

/** Numbers in [0, 1) that are as good as random, and the same for the same seed (splitmix of 32 bits). */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** How many of the sampled rows are of which part, when `size` rows are drawn from both without putting back. */
export function drawShares(size: number, of: readonly [number, number], random: Random): readonly [number, number] {
  let [first, second] = of;
  const drawn: [number, number] = [0, 0];
  for (let row = 0; row < Math.min(size, of[0] + of[1]); row++) {
    if (random() * (first + second) < first) {
      first--;
      drawn[0]++;
    } else {
      second--;
      drawn[1]++;
    }
  }
  return drawn;
}

/** So many different numbers below `total`, each set of them as likely as any other. */
export function drawRows(size: number, total: number, random: Random): number[] {
  if (size >= total) return Array.from({ length: total }, (_, row) => row);
  const moved = new Map<number, number>();
  return Array.from({ length: size }, (_, row) => {
    const other = row + Math.floor(random() * (total - row));
    const drawn = moved.get(other) ?? other;
    moved.set(other, moved.get(row) ?? row);
    return drawn;
  });
}

/** Rows of fetched values, in the given order. */
export function pickRows({ numbers, texts, valid }: FetchedValues, rows: readonly number[]): FetchedValues {
  return {
    numbers: numbers === undefined ? undefined : Float64Array.from(rows, (row) => numbers[row] ?? 0),
    texts: texts === undefined ? undefined : rows.map((row) => texts[row] ?? null),
    valid: valid === undefined ? undefined : Uint8Array.from(rows, (row) => valid[row] ?? 0),
    counts: undefined,
    rows: rows.length,
  };
}

export function joinRows(left: FetchedValues, right: FetchedValues): FetchedValues {
  const rows = left.rows + right.rows;
  const validOf = ({ valid, rows: count }: FetchedValues): Iterable<number> => valid ?? new Uint8Array(count).fill(1);
  return {
    numbers:
      left.numbers === undefined || right.numbers === undefined ? undefined : concatenate(left.numbers, right.numbers),
    texts: left.texts === undefined || right.texts === undefined ? undefined : [...left.texts, ...right.texts],
    valid:
      left.valid === undefined && right.valid === undefined
        ? undefined
        : Uint8Array.from([...validOf(left), ...validOf(right)]),
    counts: undefined,
    rows,
  };
}

function concatenate(left: Float64Array, right: Float64Array): Float64Array {
  const joined = new Float64Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
