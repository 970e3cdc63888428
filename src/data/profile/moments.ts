import type { CountedValues } from "./counted-values.ts";

/** A sum and what of it did not fit its DOUBLE. */
type SumParts = readonly [high: number, low: number];

/**
 * Sums of differences from one center, of counted numbers: those of more rows are added to them. A center of many
 * digits is a whole number, so that differences are exact beyond 2^53.
 */
export interface Moments {
  readonly center: string;
  /** 1, but for huge and tiny values, whose squares would leave the range of a DOUBLE. */
  readonly scale: number;
  readonly count: number;
  readonly first: SumParts;
  readonly second: SumParts;
}

/**
 * @param known moments of other rows, to which these are added; undefined when they have another scale
 */
export function momentsOf(counted: CountedValues, known?: Moments): Moments | undefined {
  const { numbers, counts } = counted;
  const scale = scaleOf(numbers);
  if (known !== undefined && numbers.length > 0 && known.scale !== scale) return undefined;
  const center = known?.center ?? centerOf(counted, scale);
  const { first, second, count } = known ?? { first: NOTHING, second: NOTHING, count: 0 };
  const apart = differences(counted, { center, scale });
  const [sum, squares] = [new Sum(first), new Sum(second)];
  let total = count;
  for (let index = 0; index < numbers.length; index++) {
    const [times, difference] = [counts[index] ?? 0, apart(index)];
    total += times;
    sum.add(difference * times);
    squares.add(difference * difference * times);
  }
  return { center, scale: known?.scale ?? scale, count: total, first: sum.parts, second: squares.parts };
}

const NOTHING = [0, 0] as const;

/** Neumaier's compensated sum. */
class Sum {
  #high: number;
  #low: number;

  constructor([high, low]: readonly [number, number]) {
    this.#high = high;
    this.#low = low;
  }

  add(value: number): void {
    const sum = this.#high + value;
    this.#low += Math.abs(this.#high) >= Math.abs(value) ? this.#high - sum + value : value - sum + this.#high;
    this.#high = sum;
  }

  get parts(): readonly [number, number] {
    return [this.#high, this.#low];
  }
}

export function scaleOf(numbers: Float64Array): number {
  const largest = Math.max(Math.abs(numbers[0] ?? 0), Math.abs(numbers.at(-1) ?? 0));
  return largest > 1e150 || (largest > 0 && largest < 1e-150) ? largest : 1;
}

function centerOf({ numbers, texts, counts }: CountedValues, scale: number): string {
  let [sum, total] = [0, 0];
  for (let index = 0; index < numbers.length; index++) {
    sum += ((numbers[index] ?? 0) / scale) * (counts[index] ?? 0);
    total += counts[index] ?? 0;
  }
  const mean = total === 0 ? 0 : sum / total;
  return texts !== undefined && isWhole(texts[0]) ? String(BigInt(Math.round(mean))) : String(mean);
}

function isWhole(text: string | undefined): boolean {
  return text !== undefined && /^-?\d+$/.test(text);
}

function differences(
  { numbers, texts }: CountedValues,
  { center, scale }: { readonly center: string; readonly scale: number },
): (index: number) => number {
  if (texts === undefined || !isWhole(center) || !isWhole(texts[0])) {
    const about = Number(center);
    return (index) => (numbers[index] ?? 0) / scale - about;
  }
  // Whole numbers that a DOUBLE does not hold.
  const whole = BigInt(center);
  return (index) => Number(BigInt(texts[index] ?? "") - whole);
}

/** Undefined without numbers; a deviation needs two. */
export function meanAndDeviation(moments: Moments): {
  readonly mean: number | undefined;
  readonly standardDeviation: number | undefined;
} {
  const { center, scale, count, first, second } = moments;
  if (count === 0) return { mean: undefined, standardDeviation: undefined };
  const total = first[0] + first[1];
  const squares = second[0] - (total / count) * total + second[1];
  return {
    mean: (Number(center) + total / count) * scale,
    standardDeviation: count > 1 ? Math.sqrt(Math.max(0, squares) / (count - 1)) * scale : undefined,
  };
}
