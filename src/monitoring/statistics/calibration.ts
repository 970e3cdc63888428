import { applyIsotonic, fitIsotonic, type IsotonicCurve } from "./isotonic.ts";
import { seededRandom } from "./seeded-random.ts";

/** How the probabilities of a binary classifier are read as frequencies. */
export interface Calibration {
  /** Undefined: the model's own probabilities are better as they are. */
  readonly curve: IsotonicCurve | undefined;
  /**
   * Expected calibration error of the model's own probabilities, and of the calibrated ones on rows that the curve has
   * not seen; [0, 1].
   */
  readonly errorRaw: number;
  readonly errorCalibrated: number;
  /** Rows with a label that it was learned from. */
  readonly n: number;
}

const SPLITS = 10;
const TEST_SHARE = 0.1;
const BINS = 10;
const SEED = 42;
const LEAST_ROWS = 100;
/** More rows hardly change the curve; they are taken evenly. */
const MOST_ROWS = 30_000;

/**
 * Learns to read a model's probabilities as frequencies, from held-out rows with labels: an isotonic curve, kept only
 * where it lowers the calibration error on rows that it was not learned from.
 *
 * @param probabilities of class 1 per row, [0, 1]
 * @param labels 0 or 1 per row
 * @returns undefined when there is too little to learn from: fewer than 100 rows, or one class
 * Pure: the splits are drawn with a fixed seed. Source: NannyML 0.13 CBPE (10 stratified splits, test share 0.1, ECE
 * over 10 bins of equal count).
 */
export function learnCalibration(probabilities: ArrayLike<number>, labels: ArrayLike<number>): Calibration | undefined {
  const rows = thin(
    Array.from({ length: labels.length }, (_, row) => row).filter(
      (row) => !Number.isNaN(labels[row]) && !Number.isNaN(probabilities[row]),
    ),
  );
  const ofClass = [0, 1].map((label) => rows.filter((row) => labels[row] === label));
  if (rows.length < LEAST_ROWS || ofClass.some((one) => one.length < 2)) return undefined;
  const random = seededRandom(SEED);
  const [seen, raw, calibrated]: [number[], number[], number[]] = [[], [], []];
  for (let split = 0; split < SPLITS; split++) {
    const parts = ofClass.map((one) => splitRows(one, random));
    const train = parts.flatMap((part) => part.train);
    const curve = fitIsotonic(
      train.map((row) => probabilities[row] ?? 0),
      train.map((row) => labels[row] ?? 0),
    );
    for (const row of parts.flatMap((part) => part.test)) {
      seen.push(labels[row] ?? 0);
      raw.push(probabilities[row] ?? 0);
      calibrated.push(applyIsotonic(curve, probabilities[row] ?? 0));
    }
  }
  const errorRaw = calibrationError(raw, seen);
  const errorCalibrated = calibrationError(calibrated, seen);
  const curve =
    errorRaw > errorCalibrated
      ? fitIsotonic(
          rows.map((row) => probabilities[row] ?? 0),
          rows.map((row) => labels[row] ?? 0),
        )
      : undefined;
  return { curve, errorRaw, errorCalibrated, n: rows.length };
}

function thin(rows: readonly number[]): readonly number[] {
  if (rows.length <= MOST_ROWS) return rows;
  return Array.from({ length: MOST_ROWS }, (_, index) => rows[Math.floor((index * rows.length) / MOST_ROWS)] ?? 0);
}

function splitRows(
  rows: readonly number[],
  random: () => number,
): { readonly train: readonly number[]; readonly test: readonly number[] } {
  const shuffled = [...rows];
  for (let index = shuffled.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [shuffled[index], shuffled[other]] = [shuffled[other] ?? 0, shuffled[index] ?? 0];
  }
  const count = Math.max(1, Math.round(shuffled.length * TEST_SHARE));
  return { test: shuffled.slice(0, count), train: shuffled.slice(count) };
}

/**
 * Expected calibration error: Σ (n_b / n) · |mean probability − mean label| over bins of equal count.
 *
 * @returns [0, 1] Pure. Source: NannyML 0.13 `_calculate_expected_calibration_error`.
 */
export function calibrationError(
  probabilities: readonly number[],
  labels: readonly number[],
  bins: number = BINS,
): number {
  const order = probabilities
    .map((_, row) => row)
    .sort((left, right) => (probabilities[left] ?? 0) - (probabilities[right] ?? 0));
  let error = 0;
  for (let bin = 0; bin < bins; bin++) {
    const rows = order.slice(Math.floor((bin * order.length) / bins), Math.floor(((bin + 1) * order.length) / bins));
    const difference = rows.reduce((sum, row) => sum + (probabilities[row] ?? 0) - (labels[row] ?? 0), 0);
    error += Math.abs(difference) / order.length;
  }
  return error;
}
