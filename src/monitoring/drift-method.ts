import { emptySample, methodUnknown, scoreUndefined } from "./errors.ts";
import { andersonDarling } from "./statistics/anderson-darling.ts";
import { alignCategories, type BinnedPair, binTogether, type SortedSample, sortSample } from "./statistics/bins.ts";
import { chiSquare } from "./statistics/chi-square.ts";
import { fisherExact, gTest, largestShareDifference, totalVariation } from "./statistics/counted-tests.ts";
import { cramerVonMises } from "./statistics/cramer-von-mises.ts";
import { energyDistance } from "./statistics/energy-distance.ts";
import { eppsSingleton } from "./statistics/epps-singleton.ts";
import { binForHellinger, hellinger } from "./statistics/hellinger.ts";
import { jensenShannon } from "./statistics/jensen-shannon.ts";
import { klDivergence } from "./statistics/kl-divergence.ts";
import { kolmogorovSmirnov } from "./statistics/kolmogorov-smirnov.ts";
import { mannWhitney } from "./statistics/mann-whitney.ts";
import { meanDiscrepancy } from "./statistics/mean-discrepancy.ts";
import { psi } from "./statistics/psi.ts";
import { tTest } from "./statistics/t-test.ts";
import { classifyTexts } from "./statistics/text-classifier.ts";
import { normedWasserstein } from "./statistics/wasserstein.ts";
import { zTest } from "./statistics/z-test.ts";

/** What a method says, and of which columns. */
interface MethodFacts {
  /** `distance`: a large score is drift; `p_value`: a small one. */
  readonly scale: "distance" | "p_value";
  readonly threshold: number;
  readonly kinds: readonly ColumnSample["kind"][];
}

const BOTH = ["numeric", "categorical"] as const;
const METHODS = {
  psi: { scale: "distance", threshold: 0.1, kinds: BOTH },
  kl_div: { scale: "distance", threshold: 0.1, kinds: BOTH },
  jensenshannon: { scale: "distance", threshold: 0.1, kinds: BOTH },
  hellinger: { scale: "distance", threshold: 0.1, kinds: BOTH },
  wasserstein: { scale: "distance", threshold: 0.1, kinds: ["numeric"] },
  ed: { scale: "distance", threshold: 0.1, kinds: ["numeric"] },
  TVD: { scale: "distance", threshold: 0.1, kinds: BOTH },
  l_infinity: { scale: "distance", threshold: 0.1, kinds: BOTH },
  ks: { scale: "p_value", threshold: 0.05, kinds: ["numeric"] },
  anderson: { scale: "p_value", threshold: 0.1, kinds: ["numeric"] },
  cramer_von_mises: { scale: "p_value", threshold: 0.1, kinds: ["numeric"] },
  mannw: { scale: "p_value", threshold: 0.05, kinds: ["numeric"] },
  t_test: { scale: "p_value", threshold: 0.05, kinds: ["numeric"] },
  es: { scale: "p_value", threshold: 0.05, kinds: ["numeric"] },
  empirical_mmd: { scale: "p_value", threshold: 0.1, kinds: ["numeric"] },
  chisquare: { scale: "p_value", threshold: 0.05, kinds: ["categorical"] },
  z: { scale: "p_value", threshold: 0.05, kinds: ["categorical"] },
  g_test: { scale: "p_value", threshold: 0.1, kinds: ["categorical"] },
  fisher_exact: { scale: "p_value", threshold: 0.1, kinds: ["categorical"] },
  abs_text_content_drift: { scale: "distance", threshold: 0.55, kinds: ["text"] },
  perc_text_content_drift: { scale: "p_value", threshold: 0.05, kinds: ["text"] },
} as const satisfies Readonly<Record<string, MethodFacts>>;

export type DriftMethod = keyof typeof METHODS;

/** Statistical tests and distances, by Evidently's names; `l_infinity` is NannyML's. */
export const DRIFT_METHODS: readonly [DriftMethod, ...DriftMethod[]] = [
  "psi",
  "kl_div",
  "jensenshannon",
  "hellinger",
  "wasserstein",
  "ed",
  "TVD",
  "l_infinity",
  "ks",
  "anderson",
  "cramer_von_mises",
  "mannw",
  "t_test",
  "es",
  "empirical_mmd",
  "chisquare",
  "z",
  "g_test",
  "fisher_exact",
  "abs_text_content_drift",
  "perc_text_content_drift",
];

/** One column of one side, ready to be compared. */
export type ColumnSample =
  | {
      readonly kind: "numeric";
      readonly sample: SortedSample;
      readonly size: number;
      readonly nullShare: number;
      /** The numbers are moments, in ms since 1970. */
      readonly time?: boolean;
    }
  | {
      readonly kind: "categorical";
      readonly counts: ReadonlyMap<string, number>;
      readonly size: number;
      readonly nullShare: number;
    }
  | {
      readonly kind: "text";
      /** As many as are compared, taken evenly. */
      readonly texts: readonly string[];
      readonly size: number;
      readonly nullShare: number;
    };

/** A drift score with the definition that gives it a meaning. */
export interface DriftScore {
  readonly method: DriftMethod;
  /** Distance, or p-value. */
  readonly score: number;
  readonly threshold: number;
  /** `distance`: drifted when score ≥ threshold; `p_value`: drifted when score ≤ threshold. */
  readonly scale: "distance" | "p_value";
  readonly drifted: boolean;
  readonly n: number;
  readonly nReference: number;
  readonly definition: Readonly<Record<string, string | number | boolean>>;
}

function factsOf(method: DriftMethod): MethodFacts {
  return METHODS[method];
}

/** Whether a small score is drift: a p-value. */
export function isPValue(method: DriftMethod): boolean {
  return factsOf(method).scale === "p_value";
}

/** Evidently's threshold of a method. */
export function defaultThreshold(method: DriftMethod): number {
  return factsOf(method).threshold;
}

/** Whether a method can be asked of a column. */
export function fits(method: DriftMethod, column: ColumnSample): boolean {
  const { kinds } = factsOf(method);
  if (kinds.includes(column.kind)) return true;
  if (column.kind === "categorical") return kinds.includes("numeric") && toNumbers(column.counts) !== undefined;
  return column.kind === "numeric" && kinds.includes("categorical") && column.sample.distinct <= FEW_DISTINCT;
}

const SMALL_REFERENCE = 1000;
const FEW_VALUES = 5;
/** Numbers with so few different values can be counted one by one. */
const FEW_DISTINCT = 20;

/** Evidently's choice for a column: by size of the reference, type and number of distinct values. */
export function chooseMethod(reference: ColumnSample, current: ColumnSample): DriftMethod {
  const isSmall = reference.size <= SMALL_REFERENCE;
  if (reference.kind === "text") return isSmall ? "perc_text_content_drift" : "abs_text_content_drift";
  const distinct = countDistinct(reference, current);
  const numeric = reference.kind === "numeric" && distinct > FEW_VALUES;
  if (!isSmall) return numeric ? "wasserstein" : "jensenshannon";
  if (numeric) return "ks";
  return distinct > 2 ? "chisquare" : "z";
}

/**
 * Compares one column of the current rows with the reference.
 *
 * @param method default: {@link chooseMethod}
 * @param threshold default: {@link defaultThreshold}
 * @throws MONITORING_EMPTY_SAMPLE when a side holds no value
 * @throws MONITORING_METHOD_UNSUITABLE when the method does not fit the column's type
 * @throws MONITORING_SCORE_UNDEFINED when the method says nothing of such values: too few, or without any spread
 * Pure. Sources: Evidently 0.7; one file per test in `statistics/`.
 */
export function scoreDrift(
  reference: ColumnSample,
  current: ColumnSample,
  options: { readonly method?: DriftMethod | undefined; readonly threshold?: number | undefined } = {},
): DriftScore {
  if (reference.size === 0 || current.size === 0)
    throw emptySample({ side: reference.size === 0 ? "reference" : "current" });
  const method = options.method ?? chooseMethod(reference, current);
  const threshold = options.threshold ?? defaultThreshold(method);
  const { scale } = factsOf(method);
  const { score, definition } = scoreBy(method, reference, current);
  return {
    method,
    score,
    threshold,
    scale,
    drifted: scale === "distance" ? score >= threshold : score <= threshold,
    n: current.size,
    nReference: reference.size,
    definition: { method, scale, comparison: scale === "distance" ? ">=" : "<=", ...definition },
  };
}

interface Scored {
  readonly score: number;
  readonly definition: Readonly<Record<string, string | number | boolean>>;
}

function scoreBy(method: DriftMethod, reference: ColumnSample, current: ColumnSample): Scored {
  if (!fits(method, reference) || reference.kind !== current.kind)
    throw methodUnknown({ method, kind: reference.kind, valid: DRIFT_METHODS.filter((one) => fits(one, reference)) });
  if (reference.kind === "text" && current.kind === "text") return scoreTexts(method, reference.texts, current.texts);
  if (isNumericOnly(method)) {
    const [left, right] = [asNumbers(reference), asNumbers(current)];
    if (left === undefined || right === undefined) throw scoreUndefined({ method, reason: "a category is no number" });
    return scoreNumbers(method, left, right);
  }
  if (reference.kind === "numeric" && current.kind === "numeric") {
    if (method === "hellinger")
      return {
        score: hellinger(binForHellinger(reference.sample, current.sample)),
        definition: { bins: "sturges over distinct values" },
      };
    return scoreBinned(method, binTogether(reference.sample, current.sample));
  }
  return scoreBinned(method, alignCategories(toCounts(reference), toCounts(current)));
}

function isNumericOnly(method: DriftMethod): boolean {
  const { kinds } = factsOf(method);
  return kinds.length === 1 && kinds[0] === "numeric";
}

function asNumbers(column: ColumnSample): SortedSample | undefined {
  if (column.kind === "numeric") return column.sample;
  return column.kind === "categorical" ? toNumbers(column.counts) : undefined;
}

/** Categories that are numbers, as in a column with few whole numbers. */
function toNumbers(counts: ReadonlyMap<string, number>): SortedSample | undefined {
  const values: number[] = [];
  for (const [name, count] of counts) {
    const value = name.trim() === "" ? NaN : Number(name);
    if (!Number.isFinite(value)) return undefined;
    for (let index = 0; index < count; index++) values.push(value);
  }
  return sortSample(Float64Array.from(values), values.every(Number.isInteger));
}

function scoreNumbers(method: DriftMethod, reference: SortedSample, current: SortedSample): Scored {
  const least = LEAST_VALUES[method] ?? 1;
  const fewest = Math.min(reference.values.length, current.values.length);
  if (fewest < least)
    throw scoreUndefined({ method, reason: `it needs ${least} values on each side, one has ${fewest}` });
  if (method === "wasserstein")
    return {
      score: normedWasserstein(reference, current),
      definition: { unit: "standard deviations of the reference" },
    };
  if (method === "ed")
    return { score: energyDistance(reference, current), definition: { unit: "square root of the column's" } };
  const test = NUMERIC_TESTS[method];
  const found = test?.(reference, current);
  if (found === undefined)
    throw scoreUndefined({ method, reason: "half of the values are the same, so that they have no spread" });
  const { pValue, ...definition } = found;
  return { score: pValue, definition };
}

const LEAST_VALUES: Readonly<Partial<Record<DriftMethod, number>>> = {
  anderson: 2,
  cramer_von_mises: 2,
  t_test: 2,
  es: 5,
  empirical_mmd: 2,
};

type NumericTest = (
  reference: SortedSample,
  current: SortedSample,
) => { readonly statistic: number; readonly pValue: number; readonly exact?: boolean } | undefined;

const NUMERIC_TESTS: Readonly<Partial<Record<DriftMethod, NumericTest>>> = {
  ks: kolmogorovSmirnov,
  anderson: andersonDarling,
  cramer_von_mises: cramerVonMises,
  mannw: mannWhitney,
  t_test: tTest,
  es: eppsSingleton,
  empirical_mmd: meanDiscrepancy,
};

function scoreTexts(method: DriftMethod, reference: readonly string[], current: readonly string[]): Scored {
  const { area, pValue } = classifyTexts(reference, current);
  const definition = { classifier: "logistic regression on words", area, compared: reference.length + current.length };
  return { score: method === "abs_text_content_drift" ? area : pValue, definition };
}

function scoreBinned(method: DriftMethod, pair: BinnedPair): Scored {
  const definition = { bins: pair.rule, count: pair.reference.length };
  const score = COUNTED[method]?.(pair);
  if (score === undefined) throw scoreUndefined({ method, reason: `the column has ${pair.reference.length} values` });
  return { score, definition: LOGARITHMIC.includes(method) ? { ...definition, log: "natural" } : definition };
}

const LOGARITHMIC: readonly DriftMethod[] = ["psi", "kl_div", "jensenshannon"];

const COUNTED: Readonly<Partial<Record<DriftMethod, (pair: BinnedPair) => number | undefined>>> = {
  psi,
  kl_div: klDivergence,
  jensenshannon: jensenShannon,
  hellinger,
  TVD: totalVariation,
  l_infinity: largestShareDifference,
  chisquare: chiSquare,
  z: zTest,
  g_test: gTest,
  fisher_exact: fisherExact,
};

function toCounts(column: ColumnSample): ReadonlyMap<string, number> {
  if (column.kind === "categorical") return column.counts;
  const counts = new Map<string, number>();
  const values = column.kind === "numeric" ? column.sample.values : column.texts;
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return counts;
}

function countDistinct(reference: ColumnSample, current: ColumnSample): number {
  if (reference.kind !== "numeric" || current.kind !== "numeric")
    return new Set([...toCounts(reference).keys(), ...toCounts(current).keys()]).size;
  if (reference.sample.distinct > FEW_VALUES || current.sample.distinct > FEW_VALUES) return FEW_VALUES + 1;
  return new Set([...reference.sample.values, ...current.sample.values]).size;
}
