import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findChangePoint } from "../../src/monitoring/statistics/change-point.ts";
import { createRandom } from "./watched.ts";

// numpy, from the definition: U_t = Σ sign(x_i − x_j) over i ≤ t < j; K = 568.
const EXPECTED = [37, 3.4864864864864864, 6.869565217391305, 0.0002970184774625346];

describe("change point", () => {
  it("is Pettitt's, with ties", () => {
    const random = createRandom(11);
    const values = Float64Array.from({ length: 60 }, (_, index) => Math.round(random() * 8) + (index >= 37 ? 3 : 0));
    const found = findChangePoint(values);
    assert.deepEqual([found?.index, found?.before, found?.after], EXPECTED.slice(0, 3));
    assert.ok(Math.abs((found?.pValue ?? 1) / (EXPECTED[3] ?? 1) - 1) < 1e-12);
  });

  it("is none where nothing differs, and where there is too little", () => {
    assert.equal(findChangePoint(new Float64Array(100)), undefined);
    assert.equal(findChangePoint(Float64Array.from([1, 2, 3])), undefined);
  });
});
