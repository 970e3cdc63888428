/** Trees that add up to a prediction. Missing values (NaN) are allowed everywhere. */
export interface TreeEnsemble {
  /** @param columns the columns that it learned from, in the same order; one value per row each */
  predict(columns: readonly Float64Array[]): Float64Array;
}

export interface BoostingOptions {
  /** Default 100. */
  readonly trees?: number;
  /** Share of each tree's values that is added, (0, 1]; default 0.1. */
  readonly learningRate?: number;
  /** Leaves of a tree; default 31. */
  readonly leaves?: number;
  /** Rows that a leaf holds at least; default 20. */
  readonly leastRows?: number;
}

/** Code 0 is a missing value; so many codes of values at most. */
const MOST_BINS = 63;
const MISSING = 0;

/**
 * Learns a number from columns by gradient boosting of small trees on the squared error; columns are cut into at most
 * 63 bins of equal count. The defaults are LightGBM's.
 *
 * @param columns one value per row; NaN is missing and goes the way of the smallest values
 * @param target one number per row, none NaN
 * @returns a constant where there are too few rows to split
 * Pure: no randomness. Gives way to the event loop between trees. Source: Friedman (2001); histograms and leaf-wise
 * growth as LightGBM (Ke et al. 2017).
 */
export async function fitTrees(
  columns: readonly Float64Array[],
  target: Float64Array,
  options: BoostingOptions = {},
): Promise<TreeEnsemble> {
  const { trees = 100, learningRate = 0.1, leaves = 31, leastRows = 20 } = options;
  const edges = columns.map((column) => findEdges(column));
  const codes = columns.map((column, index) => encode(column, edges[index] ?? new Float64Array()));
  const start = target.length === 0 ? 0 : target.reduce((sum, value) => sum + value, 0) / target.length;
  const residual = target.map((value) => value - start);
  const grown: Tree[] = [];
  for (let index = 0; index < trees; index++) {
    const tree = growTree(codes, residual, { leaves, leastRows });
    if (tree.feature.length === 0) break;
    for (let leaf = 0; leaf < tree.values.length; leaf++) tree.values[leaf] = (tree.values[leaf] ?? 0) * learningRate;
    for (let row = 0; row < residual.length; row++) residual[row] = (residual[row] ?? 0) - follow(tree, codes, row);
    grown.push(tree);
    await new Promise(setImmediate);
  }
  return {
    predict(inputs) {
      const found = inputs.map((column, index) => encode(column, edges[index] ?? new Float64Array()));
      return Float64Array.from({ length: inputs[0]?.length ?? 0 }, (_, row) =>
        grown.reduce((sum, tree) => sum + follow(tree, found, row), start),
      );
    },
  };
}

/** Lower edges of the bins of values, ascending; quantiles of the values that differ. */
function findEdges(column: Float64Array): Float64Array {
  const sorted = column.filter((value) => !Number.isNaN(value)).sort();
  const edges: number[] = [];
  const bins = Math.min(MOST_BINS, sorted.length);
  for (let bin = 0; bin < bins; bin++) {
    const value = sorted[Math.floor((bin * sorted.length) / bins)] ?? 0;
    if (value !== edges.at(-1)) edges.push(value);
  }
  return Float64Array.from(edges);
}

function encode(column: Float64Array, edges: Float64Array): Uint8Array {
  return Uint8Array.from(column, (value) => {
    if (Number.isNaN(value)) return MISSING;
    let [low, high] = [0, edges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((edges[middle] ?? 0) <= value) low = middle + 1;
      else high = middle;
    }
    return Math.max(1, low);
  });
}

/** Node i sends codes ≤ `until[i]` of `feature[i]` left. Children below 0 are leaves: −1 − leaf. */
interface Tree {
  readonly feature: number[];
  readonly until: number[];
  readonly left: number[];
  readonly right: number[];
  readonly values: number[];
}

function follow(tree: Tree, codes: readonly Uint8Array[], row: number): number {
  let node = 0;
  while (node >= 0) {
    const code = codes[tree.feature[node] ?? 0]?.[row] ?? 0;
    node = (code <= (tree.until[node] ?? 0) ? tree.left[node] : tree.right[node]) ?? -1;
  }
  return tree.values[-1 - node] ?? 0;
}

interface Split {
  readonly gain: number;
  readonly feature: number;
  readonly until: number;
}

interface Leaf {
  readonly rows: Uint32Array;
  readonly histogram: Histogram;
  readonly split: Split | undefined;
  /** Node and side that point here; undefined at the root. */
  readonly parent: { readonly node: number; readonly side: "left" | "right" } | undefined;
}

/** Sum and count of the residuals by feature and code, `CODES` a feature. */
interface Histogram {
  readonly sums: Float64Array;
  readonly counts: Float64Array;
}
const CODES = MOST_BINS + 1;

interface Growth {
  readonly codes: readonly Uint8Array[];
  readonly residual: Float64Array;
  readonly leastRows: number;
}

function growTree(
  codes: readonly Uint8Array[],
  residual: Float64Array,
  { leaves: most, leastRows }: { readonly leaves: number; readonly leastRows: number },
): Tree {
  const growth: Growth = { codes, residual, leastRows };
  const tree: Tree = { feature: [], until: [], left: [], right: [], values: [] };
  const all = Uint32Array.from(residual.keys());
  const leaves: Leaf[] = [makeLeaf(all, countCodes(all, growth), undefined, growth)];
  while (leaves.length < most) {
    const best = leaves.reduce((found, leaf) => ((leaf.split?.gain ?? 0) > (found.split?.gain ?? 0) ? leaf : found));
    const { split } = best;
    if (split === undefined) break;
    leaves.splice(leaves.indexOf(best), 1, ...splitLeaf(best, split, tree, growth));
  }
  if (tree.feature.length === 0) return tree;
  for (const [index, { rows, parent }] of leaves.entries()) {
    tree.values.push(rows.reduce((sum, row) => sum + (residual[row] ?? 0), 0) / rows.length);
    if (parent !== undefined) tree[parent.side][parent.node] = -1 - index;
  }
  return tree;
}

function makeLeaf(rows: Uint32Array, histogram: Histogram, parent: Leaf["parent"], growth: Growth): Leaf {
  return { rows, histogram, parent, split: findSplit(histogram, rows.length, growth) };
}

function splitLeaf(leaf: Leaf, { feature, until }: Split, tree: Tree, growth: Growth): readonly Leaf[] {
  const node = tree.feature.length;
  if (leaf.parent !== undefined) tree[leaf.parent.side][leaf.parent.node] = node;
  tree.feature.push(feature);
  tree.until.push(until);
  tree.left.push(0);
  tree.right.push(0);
  const own = growth.codes[feature] ?? new Uint8Array();
  const left = leaf.rows.filter((row) => (own[row] ?? 0) <= until);
  const right = leaf.rows.filter((row) => (own[row] ?? 0) > until);
  // The larger side is what the smaller one leaves of the whole.
  const [small, large] = left.length <= right.length ? [left, right] : [right, left];
  const counted = countCodes(small, growth);
  const rest = {
    sums: leaf.histogram.sums.map((sum, index) => sum - (counted.sums[index] ?? 0)),
    counts: leaf.histogram.counts.map((count, index) => count - (counted.counts[index] ?? 0)),
  };
  return [
    makeLeaf(left, left === small ? counted : rest, { node, side: "left" }, growth),
    makeLeaf(right, right === large ? rest : counted, { node, side: "right" }, growth),
  ];
}

function countCodes(rows: Uint32Array, { codes, residual }: Growth): Histogram {
  const [sums, counts] = [new Float64Array(codes.length * CODES), new Float64Array(codes.length * CODES)];
  for (const [feature, own] of codes.entries()) {
    const offset = feature * CODES;
    for (const row of rows) {
      const place = offset + (own[row] ?? 0);
      sums[place] = (sums[place] ?? 0) + (residual[row] ?? 0);
      counts[place] = (counts[place] ?? 0) + 1;
    }
  }
  return { sums, counts };
}

function findSplit({ sums, counts }: Histogram, size: number, { codes, leastRows }: Growth): Split | undefined {
  if (size < 2 * leastRows) return undefined;
  const total = sums.subarray(0, CODES).reduce((sum, value) => sum + value, 0);
  const before = total ** 2 / size;
  let best: Split | undefined;
  for (let feature = 0; feature < codes.length; feature++) {
    let [sum, count] = [0, 0];
    for (let code = 0; code < CODES; code++) {
      sum += sums[feature * CODES + code] ?? 0;
      count += counts[feature * CODES + code] ?? 0;
      if (count < leastRows) continue;
      if (size - count < leastRows) break;
      const gain = sum ** 2 / count + (total - sum) ** 2 / (size - count) - before;
      if (gain > Math.max(best?.gain ?? 0, 1e-12)) best = { gain, feature, until: code };
    }
  }
  return best;
}
