import { emptySample, methodUnknown } from "./errors.ts";
import { alignCategories, type BinnedPair, binTogether, type SortedSample } from "./statistics/bins.ts";
import { chiSquare } from "./statistics/chi-square.ts";
import { binForHellinger, hellinger } from "./statistics/hellinger.ts";
import { jensenShannon } from "./statistics/jensen-shannon.ts";
import { klDivergence } from "./statistics/kl-divergence.ts";
import { kolmogorovSmirnov } from "./statistics/kolmogorov-smirnov.ts";
import { psi } from "./statistics/psi.ts";
import { normedWasserstein } from "./statistics/wasserstein.ts";
import { zTest } from "./statistics/z-test.ts";

/** Statistical tests and distances by Evidently's names. */
export const DRIFT_METHODS = [
  "psi",
  "kl_div",
  "jensenshannon",
  "hellinger",
  "wasserstein",
  "ks",
  "chisquare",
  "z",
] as const;
export type DriftMethod = (typeof DRIFT_METHODS)[number];

/** One column of one side, ready to be compared. */
export type ColumnSample =
  | { readonly kind: "numeric"; readonly sample: SortedSample; readonly size: number; readonly nullShare: number }
  | {
      readonly kind: "categorical";
      readonly counts: ReadonlyMap<string, number>;
      readonly size: number;
      readonly nullShare: number;
    };

/** A drift score with the definition that gives it a meaning. */
export interface DriftScore {
  readonly method: DriftMethod;
  /** Distance, or p-value for `ks`, `chisquare`, `z`. */
  readonly score: number;
  readonly threshold: number;
  /** `distance`: drifted when score ≥ threshold; `p_value`: drifted when score ≤ threshold. */
  readonly scale: "distance" | "p_value";
  readonly drifted: boolean;
  readonly n: number;
  readonly nReference: number;
  readonly definition: Readonly<Record<string, string | number | boolean>>;
}

const P_VALUE_METHODS: readonly DriftMethod[] = ["ks", "chisquare", "z"];
const NUMERIC_METHODS: readonly DriftMethod[] = ["psi", "kl_div", "jensenshannon", "hellinger", "wasserstein", "ks"];
const CATEGORICAL_METHODS: readonly DriftMethod[] = ["psi", "kl_div", "jensenshannon", "hellinger", "chisquare", "z"];

/** Whether a small score is drift: a p-value. */
export function isPValue(method: DriftMethod): boolean {
  return P_VALUE_METHODS.includes(method);
}

/** Evidently's threshold of a method. */
export function defaultThreshold(method: DriftMethod): number {
  return P_VALUE_METHODS.includes(method) ? 0.05 : 0.1;
}

const SMALL_REFERENCE = 1000;
const FEW_VALUES = 5;

/** Evidently's choice for a column: by size of the reference, type and number of distinct values. */
export function chooseMethod(reference: ColumnSample, current: ColumnSample): DriftMethod {
  const distinct = countDistinct(reference, current);
  const numeric = reference.kind === "numeric" && distinct > FEW_VALUES;
  if (reference.size > SMALL_REFERENCE) return numeric ? "wasserstein" : "jensenshannon";
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
  const scale = P_VALUE_METHODS.includes(method) ? "p_value" : "distance";
  const { score, definition } =
    reference.kind === "numeric" && current.kind === "numeric"
      ? scoreNumeric(method, reference.sample, current.sample)
      : scoreCategorical(method, reference, current);
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

function scoreNumeric(method: DriftMethod, reference: SortedSample, current: SortedSample): Scored {
  switch (method) {
    case "wasserstein":
      return {
        score: normedWasserstein(reference, current),
        definition: { unit: "standard deviations of the reference" },
      };
    case "ks": {
      const { pValue, statistic, exact } = kolmogorovSmirnov(reference, current);
      return { score: pValue, definition: { statistic, exact } };
    }
    case "hellinger":
      return {
        score: hellinger(binForHellinger(reference, current)),
        definition: { bins: "sturges over distinct values" },
      };
    case "psi":
    case "kl_div":
    case "jensenshannon":
      return scoreBinned(method, binTogether(reference, current));
    case "chisquare":
    case "z": {
      const pair = binTogether(reference, current);
      if (pair.rule === "distinct") return scoreBinned(method, pair);
      throw methodUnknown({ method, kind: "numeric", valid: NUMERIC_METHODS });
    }
  }
}

function scoreCategorical(method: DriftMethod, reference: ColumnSample, current: ColumnSample): Scored {
  if (!CATEGORICAL_METHODS.includes(method))
    throw methodUnknown({ method, kind: "categorical", valid: CATEGORICAL_METHODS });
  return scoreBinned(method, alignCategories(toCounts(reference), toCounts(current)));
}

function scoreBinned(method: DriftMethod, pair: BinnedPair): Scored {
  const definition = { bins: pair.rule, count: pair.reference.length };
  switch (method) {
    case "psi":
      return { score: psi(pair), definition: { ...definition, log: "natural" } };
    case "kl_div":
      return { score: klDivergence(pair), definition: { ...definition, log: "natural" } };
    case "jensenshannon":
      return { score: jensenShannon(pair), definition: { ...definition, log: "natural" } };
    case "hellinger":
      return { score: hellinger(pair), definition };
    case "chisquare":
      return { score: chiSquare(pair), definition };
    case "z":
      return { score: zTest(pair), definition };
    case "wasserstein":
    case "ks":
      throw methodUnknown({ method, kind: "categorical", valid: CATEGORICAL_METHODS });
  }
}

function toCounts(column: ColumnSample): ReadonlyMap<string, number> {
  if (column.kind === "categorical") return column.counts;
  const counts = new Map<string, number>();
  for (const value of column.sample.values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return counts;
}

function countDistinct(reference: ColumnSample, current: ColumnSample): number {
  if (reference.kind === "categorical" || current.kind === "categorical")
    return new Set([...toCounts(reference).keys(), ...toCounts(current).keys()]).size;
  if (reference.sample.distinct > FEW_VALUES || current.sample.distinct > FEW_VALUES) return FEW_VALUES + 1;
  return new Set([...reference.sample.values, ...current.sample.values]).size;
}
