import { applyIsotonic } from "./isotonic.ts";
import type { Calibration } from "./calibration.ts";

/** Performance of a classifier of several classes, estimated before labels come; averages weighted by class size. */
export interface EstimatedClasses {
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Expected counts by class. */
  readonly classes: readonly { readonly tp: number; readonly fp: number; readonly fn: number }[];
}

/**
 * Confidence-based performance estimation of several classes: each row counts as of class c with the probability that
 * it has.
 *
 * @param probabilities by class, one per row each, calibrated; of a row they sum to 1
 * @param predicted class index per row
 * Pure. Source: NannyML 0.13 CBPE, multiclass; averages weighted by class size instead of macro, as this platform
 * measures them.
 */
export function estimateClasses(
  probabilities: readonly Float64Array[],
  predicted: ArrayLike<number>,
): EstimatedClasses {
  const classes = probabilities.map((own, index) => {
    let [tp, fp, fn] = [0, 0, 0];
    for (let row = 0; row < own.length; row++) {
      const p = own[row] ?? 0;
      if (predicted[row] === index) [tp, fp] = [tp + p, fp + 1 - p];
      else fn += p;
    }
    return { tp, fp, fn };
  });
  const total = classes.reduce((sum, { tp, fn }) => sum + tp + fn, 0);
  const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  const weighted = (rate: (of: (typeof classes)[number]) => number): number =>
    ratio(
      classes.reduce((sum, one) => sum + (one.tp + one.fn) * rate(one), 0),
      total,
    );
  return {
    accuracy: ratio(
      classes.reduce((sum, { tp }) => sum + tp, 0),
      total,
    ),
    precision: weighted(({ tp, fp }) => ratio(tp, tp + fp)),
    recall: weighted(({ tp, fn }) => ratio(tp, tp + fn)),
    f1: weighted(({ tp, fp, fn }) => ratio(2 * tp, 2 * tp + fp + fn)),
    classes,
  };
}

/**
 * Reads the probabilities of every class through its curve, and makes each row sum to 1 again; alike for all classes
 * where nothing is left. Pure. Source: NannyML 0.13.
 */
export function calibrateClasses(
  probabilities: readonly Float64Array[],
  calibrations: readonly (Calibration | undefined)[],
): readonly Float64Array[] {
  const read = probabilities.map((own, index) => {
    const curve = calibrations[index]?.curve;
    return curve === undefined ? own : own.map((p) => applyIsotonic(curve, p));
  });
  const sums = Float64Array.from(read[0] ?? [], (_, row) => read.reduce((sum, own) => sum + (own[row] ?? 0), 0));
  return read.map((own) => own.map((p, row) => (sums[row] === 0 ? 1 / read.length : p / (sums[row] ?? 1))));
}
