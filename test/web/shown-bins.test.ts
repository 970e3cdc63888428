import assert from "node:assert/strict";
import { it } from "node:test";
import { shownBins } from "../../web/models/shown-bins.ts";

it("the outer bins of a histogram join their neighbours where they are next to nothing wide", () => {
  const bins = (edges: number[], counts: number[]) => {
    const shown = shownBins({ edges, counts });
    return [shown.edges, shown.counts];
  };
  // A share of 100 percent: the largest value stands on an edge.
  assert.deepEqual(bins([12, 40, 80, 100, 100], [3, 4, 5, 286]), [
    [12, 40, 80, 100],
    [3, 4, 291],
  ]);
  assert.deepEqual(bins([-0.1, 0, 10, 20], [7, 1, 2]), [
    [-0.1, 10, 20],
    [8, 2],
  ]);
  assert.deepEqual(bins([-0.1, 0, 10, 10], [7, 1, 2]), [[-0.1, 10], [10]]);
  assert.deepEqual(bins([0, 10, 10], [1, 2]), [[0, 10], [3]]);
  assert.deepEqual(bins([5, 10, 20, 27], [1, 2, 3]), [
    [5, 10, 20, 27],
    [1, 2, 3],
  ]);
  assert.deepEqual(bins([4, 4], [9]), [[4, 4], [9]]);
  assert.deepEqual(bins([-1e308, 0, 1e308], [1, 1]), [
    [-1e308, 0, 1e308],
    [1, 1],
  ]);
});
