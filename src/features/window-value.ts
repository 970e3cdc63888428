import type { WindowFeature } from "./window-feature.ts";

/** The sum of finite numbers, rounded once: the same in every order. Source: Shewchuk 1997, as Python's fsum. */
function exactSum(values: readonly number[]): number {
  const partials: number[] = [];
  for (const value of values) {
    let high = value;
    let kept = 0;
    for (const partial of partials) {
      const [large, small] = Math.abs(high) < Math.abs(partial) ? [partial, high] : [high, partial];
      high = large + small;
      const low = small - (high - large);
      if (low !== 0) partials[kept++] = low;
    }
    partials.length = kept;
    partials.push(high);
  }
  return rounded(partials);
}

function rounded(partials: number[]): number {
  let high = partials.pop() ?? 0;
  let low = 0;
  for (let next = partials.pop(); next !== undefined; next = partials.pop()) {
    const before = high;
    high = before + next;
    low = next - (high - before);
    if (low !== 0) break;
  }
  // Half a unit in the last place is rounded to the side on which the rest lies.
  const rest = partials.at(-1) ?? 0;
  if ((low < 0 && rest < 0) || (low > 0 && rest > 0)) {
    const twice = low * 2;
    const next = high + twice;
    if (twice === next - high) return next;
  }
  return high;
}

/** What an aggregate makes of the values of a window; null where there is none. Missing values are left out. */
export function windowValue(of: WindowFeature["function"], values: readonly unknown[]): number | null {
  if (of === "count") return values.length;
  if (of === "distinct") return new Set(values.filter((value) => value !== null)).size;
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length === 0) return null;
  switch (of) {
    case "min":
      return numbers.reduce((least, value) => Math.min(least, value));
    case "max":
      return numbers.reduce((most, value) => Math.max(most, value));
    case "sum":
      return exactSum(numbers);
    case "mean":
      return exactSum(numbers) / numbers.length;
    case "std": {
      if (numbers.length < 2) return null;
      const mean = exactSum(numbers) / numbers.length;
      return Math.sqrt(exactSum(numbers.map((value) => (value - mean) ** 2)) / (numbers.length - 1));
    }
  }
}
