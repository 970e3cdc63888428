/** Performance of a binary classifier, estimated from its own probabilities before labels come. */
export interface EstimatedPerformance {
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly roc_auc: number;
}

/**
 * Confidence-based performance estimation: each row counts as right with the probability that the model itself gives.
 *
 * Assumes that the probabilities are calibrated and that only the inputs changed, not what they mean: show this next to
 * the number.
 *
 * @param probabilities calibrated probability of class 1 per row, [0, 1]
 * @param scores what rows are ranked by; default the probabilities
 * @param predicted class 1 predicted, per row; default score ≥ 0.5
 * Pure. Source: NannyML 0.13 CBPE, binary.
 */
export function estimatePerformance(
  probabilities: ArrayLike<number>,
  scores: ArrayLike<number> = probabilities,
  predicted: (row: number) => boolean = (row) => (scores[row] ?? 0) >= 0.5,
): EstimatedPerformance {
  let [tp, fp, fn, tn] = [0, 0, 0, 0];
  for (let row = 0; row < probabilities.length; row++) {
    const p = probabilities[row] ?? 0;
    if (predicted(row)) [tp, fp] = [tp + p, fp + 1 - p];
    else [fn, tn] = [fn + p, tn + 1 - p];
  }
  const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  return {
    accuracy: ratio(tp + tn, probabilities.length),
    precision: ratio(tp, tp + fp),
    recall: ratio(tp, tp + fn),
    f1: ratio(tp, tp + (fp + fn) / 2),
    roc_auc: estimateRocAuc(probabilities, scores),
  };
}

/**
 * Area under the curve of expected true positives over expected false positives, rows in falling order of their score.
 */
function estimateRocAuc(probabilities: ArrayLike<number>, scores: ArrayLike<number>): number {
  const order = Uint32Array.from({ length: probabilities.length }, (_, row) => row).sort(
    (left, right) => (scores[right] ?? 0) - (scores[left] ?? 0),
  );
  const total = Array.from(probabilities).reduce((sum, p) => sum + p, 0);
  const negatives = probabilities.length - total;
  if (total === 0 || negatives === 0) return NaN;
  let [area, tps] = [0, 0];
  let [lastX, lastY] = [0, 0];
  for (const [rank, row] of order.entries()) {
    tps += probabilities[row] ?? 0;
    const x = roundCount(rank + 1 - tps) / negatives;
    const y = roundCount(tps) / total;
    area += ((x - lastX) * (y + lastY)) / 2;
    [lastX, lastY] = [x, y];
  }
  return area;
}

/** NannyML rounds the counts to five decimals. */
function roundCount(count: number): number {
  return Math.round(count * 1e5) / 1e5;
}
