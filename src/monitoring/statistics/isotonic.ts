/** A monotone step-free curve: linear between its knots, constant outside them. */
export interface IsotonicCurve {
  /** Ascending, without repeats. */
  readonly x: Float64Array;
  /** Ascending, [0, 1] for probabilities. */
  readonly y: Float64Array;
}

/**
 * The non-decreasing curve with the least squared error (pool adjacent violators); rows with one x are averaged first.
 *
 * @param x what is mapped, one per row, n ≥ 1, no NaN
 * @param y what it is mapped to, one per row Pure. Source: scikit-learn `IsotonicRegression(out_of_bounds="clip")`.
 */
export function fitIsotonic(x: ArrayLike<number>, y: ArrayLike<number>): IsotonicCurve {
  const order = Uint32Array.from({ length: x.length }, (_, row) => row).sort(
    (left, right) => (x[left] ?? 0) - (x[right] ?? 0),
  );
  const knots: { readonly x: number; sum: number; count: number }[] = [];
  for (const row of order) {
    const last = knots.at(-1);
    if (last !== undefined && last.x === x[row]) [last.sum, last.count] = [last.sum + (y[row] ?? 0), last.count + 1];
    else knots.push({ x: x[row] ?? 0, sum: y[row] ?? 0, count: 1 });
  }
  const pooled = pool(knots);
  // Inside a block of equal values only its two ends are needed.
  const kept = knots
    .map((_, index) => index)
    .filter(
      (index) =>
        index === 0 ||
        index === knots.length - 1 ||
        pooled[index] !== pooled[index - 1] ||
        pooled[index] !== pooled[index + 1],
    );
  return {
    x: Float64Array.from(kept, (index) => knots[index]?.x ?? 0),
    y: Float64Array.from(kept, (index) => pooled[index] ?? 0),
  };
}

function pool(knots: readonly { readonly sum: number; readonly count: number }[]): Float64Array {
  const blocks: { sum: number; count: number; knots: number }[] = [];
  for (const { sum, count } of knots) {
    let block = { sum, count, knots: 1 };
    for (
      let last = blocks.at(-1);
      last !== undefined && last.sum / last.count >= block.sum / block.count;
      last = blocks.at(-1)
    ) {
      block = { sum: last.sum + block.sum, count: last.count + block.count, knots: last.knots + block.knots };
      blocks.pop();
    }
    blocks.push(block);
  }
  return Float64Array.from(
    blocks.flatMap((block) => Array.from({ length: block.knots }, () => block.sum / block.count)),
  );
}

/** The curve's value at `x`. */
export function applyIsotonic(curve: IsotonicCurve, x: number): number {
  const last = curve.x.length - 1;
  if (x <= (curve.x[0] ?? 0)) return curve.y[0] ?? 0;
  if (x >= (curve.x[last] ?? 0)) return curve.y[last] ?? 0;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((curve.x[middle] ?? 0) <= x) low = middle;
    else high = middle;
  }
  const [fromX, toX, fromY, toY] = [curve.x[low] ?? 0, curve.x[high] ?? 0, curve.y[low] ?? 0, curve.y[high] ?? 0];
  return fromY + ((toY - fromY) * (x - fromX)) / (toX - fromX);
}
