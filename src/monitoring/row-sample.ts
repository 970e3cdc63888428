import { seededRandom } from "./statistics/seeded-random.ts";

const SEED = 7;
/** Different texts of a column that are kept once however often they occur. */
const SHARED_TEXTS = 10_000;

/** A uniform sample of rows that come one after the other: all of them, in their order, while they are few. */
export interface RowSample {
  /** The place of the next row in the sample; undefined when it is left out. */
  next(): number | undefined;
  /** Rows that were seen. */
  readonly seen: number;
  /** Rows that are kept. */
  readonly size: number;
}

/**
 * The same rows give the same sample.
 *
 * Source: reservoir sampling, algorithm R (Vitter 1985).
 */
export function createRowSample(atMost: number): RowSample {
  const random = seededRandom(SEED);
  let seen = 0;
  return {
    next() {
      const row = seen++;
      if (row < atMost) return row;
      const place = Math.floor(random() * seen);
      return place < atMost ? place : undefined;
    },
    get seen() {
      return seen;
    },
    get size() {
      return Math.min(seen, atMost);
    },
  };
}

/** One column of a sample. */
export interface SampledColumn<Values extends ArrayLike<unknown> = ArrayLike<unknown>> {
  set(place: number, value: unknown): void;
  /** The first `size` values. */
  values(size: number): Values;
}

/** A column of numbers in eight bytes each; what is no number is NaN. */
export function createNumberColumn(): SampledColumn<Float64Array> {
  let numbers = new Float64Array(1024);
  return {
    set(place, value) {
      if (place >= numbers.length) {
        const grown = new Float64Array(numbers.length * 2);
        grown.set(numbers);
        numbers = grown;
      }
      numbers[place] = typeof value === "number" ? value : NaN;
    },
    values: (size) => numbers.slice(0, size),
  };
}

/** A column of anything; null where a value is missing. */
export function createValueColumn(): SampledColumn {
  const kept: unknown[] = [];
  const texts = new Map<string, string>();
  const share = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined && texts.size < SHARED_TEXTS) texts.set(text, text);
    return known ?? text;
  };
  return {
    set(place, value) {
      kept[place] = typeof value === "string" ? share(value) : (value ?? null);
    },
    values: (size) => kept.slice(0, size),
  };
}

/** Says of a score, in its `method`, that it is of a sample. */
export function sampledOf(sampled: number, all: number): object {
  return sampled < all ? { sampledOf: all } : {};
}
