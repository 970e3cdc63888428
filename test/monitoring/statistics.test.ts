import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { alignCategories, binTogether, sortSample } from "../../src/monitoring/statistics/bins.ts";
import { evaluate } from "#models";
import { calibrationError, learnCalibration } from "../../src/monitoring/statistics/calibration.ts";
import { chiSquare } from "../../src/monitoring/statistics/chi-square.ts";
import { estimatePerformance } from "../../src/monitoring/statistics/estimated-performance.ts";
import { adjustPValues } from "../../src/monitoring/statistics/false-discovery.ts";
import { upperGamma } from "../../src/monitoring/statistics/gamma.ts";
import { binForHellinger, hellinger } from "../../src/monitoring/statistics/hellinger.ts";
import { applyIsotonic, fitIsotonic } from "../../src/monitoring/statistics/isotonic.ts";
import { jensenShannon } from "../../src/monitoring/statistics/jensen-shannon.ts";
import { klDivergence } from "../../src/monitoring/statistics/kl-divergence.ts";
import { kolmogorovSurvival } from "../../src/monitoring/statistics/kolmogorov-distribution.ts";
import { kolmogorovSmirnov } from "../../src/monitoring/statistics/kolmogorov-smirnov.ts";
import { psi } from "../../src/monitoring/statistics/psi.ts";
import { seededRandom } from "../../src/monitoring/statistics/seeded-random.ts";
import { normedWasserstein, wasserstein } from "../../src/monitoring/statistics/wasserstein.ts";
import { zTest } from "../../src/monitoring/statistics/z-test.ts";

/** Expected values: Evidently 0.7.21, NannyML 0.13.1 and scipy 1.17.1 on the same samples. */
function near(found: number, expected: number, label: string = ""): void {
  const tolerance = 1e-9 * Math.max(1e-3, Math.abs(expected));
  assert.ok(Math.abs(found - expected) <= tolerance, `${label} ${found} against ${expected}`);
}

const counts = (entries: Record<string, number>): Map<string, number> => new Map(Object.entries(entries));

const A = {
  reference: sortSample(Float64Array.from({ length: 1000 }, (_, i) => (((i * 7919) % 1000) / 1000) ** 2)),
  current: sortSample(Float64Array.from({ length: 800 }, (_, i) => (0.05 + (1.05 * ((i * 7919) % 800)) / 800) ** 2)),
};
const B = {
  reference: sortSample(
    A.reference.values.map((value) => Math.trunc(40 * value)),
    true,
  ),
  current: sortSample(
    A.current.values.map((value) => Math.trunc(40 * value)),
    true,
  ),
};
const C = alignCategories(counts({ 0: 500, 1: 300, 2: 150, 3: 50 }), counts({ 0: 380, 1: 300, 2: 80, 3: 40 }));
const NEW = alignCategories(counts({ 0: 500, 1: 300, 2: 150, 3: 50 }), counts({ 0: 380, 1: 300, 2: 80, 4: 40 }));
const D = {
  reference: sortSample(Float64Array.of(1, 2, 2, 3, 3, 3, 4, 4, 5, 5)),
  current: sortSample(Float64Array.of(2, 3, 3, 4, 4, 4, 5, 5, 6, 6)),
};

describe("drift scores equal Evidently's", () => {
  it("of a continuous column", () => {
    const bins = binTogether(A.reference, A.current);
    assert.equal(bins.reference.length, 12);
    near(psi(bins), 0.5729854399746308, "psi");
    near(klDivergence(bins), 0.09780433161041649, "kl");
    near(jensenShannon(bins), 0.18318172906324817, "js");
    near(hellinger(binForHellinger(A.reference, A.current)), 0.21807676352010677, "hellinger");
    near(normedWasserstein(A.reference, A.current), 0.2985002698306119, "wasserstein");
    near(wasserstein(A.reference, A.current), 0.08891209960937507, "W1");
    const ks = kolmogorovSmirnov(A.reference, A.current);
    near(ks.statistic, 0.09575, "D");
    near(ks.pValue, 0.0005384436499319323, "ks");
  });

  it("of an integer column", () => {
    const bins = binTogether(B.reference, B.current);
    near(psi(bins), 0.5999519344992684, "psi");
    near(klDivergence(bins), 0.1016328279259501, "kl");
    near(jensenShannon(bins), 0.1867496668551438, "js");
    near(hellinger(binForHellinger(B.reference, B.current)), 0.1949652365388249, "hellinger");
    near(normedWasserstein(B.reference, B.current), 0.29776453415430926, "wasserstein");
    near(kolmogorovSmirnov(B.reference, B.current).pValue, 0.000611954940666988, "ks");
  });

  it("of a categorical column, with and without a new category", () => {
    near(psi(C), 0.03829135411366271, "psi");
    near(klDivergence(C), 0.019523348015737005, "kl");
    near(jensenShannon(C), 0.06902792555566954, "js");
    near(hellinger(C), 0.06910570884828877, "hellinger");
    near(chiSquare(C), 1.9058194245971514e-6, "chi²");
    near(psi(NEW), 0.6585092423361973, "psi");
    near(klDivergence(NEW), 0.3295993321937849, "kl");
    near(jensenShannon(NEW), 0.1985502796132917, "js");
    near(hellinger(NEW), 0.2340418744486219, "hellinger");
    assert.equal(chiSquare(NEW), 0);
    near(zTest(alignCategories(counts({ 0: 700, 1: 300 }), counts({ 0: 500, 1: 300 }))), 0.0007962301575907826, "z");
  });

  it("of a column with few values", () => {
    const bins = binTogether(D.reference, D.current);
    assert.equal(bins.rule, "distinct");
    near(psi(bins), 2.3599128937104052, "psi");
    near(klDivergence(bins), 0.8691044741276521, "kl");
    near(jensenShannon(bins), 0.35004969032853905, "js");
    near(hellinger(binForHellinger(D.reference, D.current)), 0.23249571654518197, "hellinger");
    near(normedWasserstein(D.reference, D.current), 0.8006407690254357, "wasserstein");
    near(kolmogorovSmirnov(D.reference, D.current).pValue, 0.7869297884777761, "ks");
  });

  it("of constants", () => {
    const [five, same, six] = [
      sortSample(new Float64Array(100).fill(5)),
      sortSample(new Float64Array(80).fill(5)),
      sortSample(new Float64Array(80).fill(6)),
    ];
    for (const value of [
      psi(binTogether(five, same)),
      jensenShannon(binTogether(five, same)),
      normedWasserstein(five, same),
    ])
      assert.equal(value, 0);
    assert.equal(kolmogorovSmirnov(five, same).pValue, 1);
    near(psi(binTogether(five, six)), 18.41883867587797, "psi");
    near(jensenShannon(binTogether(five, six)), 0.8325546111576977, "js");
    near(klDivergence(binTogether(five, six)), 9.208498488090177, "kl");
    near(hellinger(binForHellinger(five, six)), 1, "hellinger");
    near(normedWasserstein(five, six), 1000, "wasserstein");
    assert.ok(Math.abs(kolmogorovSmirnov(five, six).pValue / 6.64951466386705e-53 - 1) < 1e-9);
  });

  it("ignore NaN and infinities on both sides", () => {
    const dirty = sortSample(Float64Array.from([...A.current.values, NaN, Infinity, -Infinity]));
    assert.equal(psi(binTogether(A.reference, dirty)), psi(binTogether(A.reference, A.current)));
  });
});

describe("the Kolmogorov–Smirnov p-value", () => {
  it("equals scipy's kstwo.sf over its whole range", () => {
    const cases: readonly (readonly [number, number, number])[] = [
      [0.05, 50, 0.9990238098461883],
      [0.15, 50, 0.19026366518248072],
      [0.1, 140, 0.11353657290090946],
      [0.1, 141, 0.11128445516467944],
      [0.05, 500, 0.15866260223815387],
      [0.02, 5000, 0.03613941395325637],
      [0.03, 5000, 0.00024159234422666817],
      [0.003, 100_000, 0.3284563327726956],
      [0.0013, 1_000_000, 0.06803320588112582],
    ];
    for (const [d, n, expected] of cases)
      assert.ok(
        Math.abs(kolmogorovSurvival(d, n) / expected - 1) < 1e-9,
        `(${d}, ${n}): ${kolmogorovSurvival(d, n)} against ${expected}`,
      );
  });

  it("is exact for small samples of equal and unequal size", () => {
    const range = (from: number, to: number, step: number = 1): Float64Array =>
      Float64Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
    const unequal = kolmogorovSmirnov(sortSample(range(1, 10)), sortSample(range(2, 14, 2)));
    near(unequal.statistic, 0.32857142857142857);
    near(unequal.pValue, 0.6260798025503908);
    near(kolmogorovSmirnov(sortSample(range(1, 10)), sortSample(range(3, 12))).pValue, 0.9944575548290717);
  });
});

describe("other statistics", () => {
  it("adjust p-values as Benjamini and Hochberg", () => {
    const adjusted = adjustPValues([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]);
    [0.01, 0.04, 0.084, 0.084, 0.084, 0.1, 0.1057142857142857, 0.216, 0.216, 0.216].forEach((expected, index) =>
      near(adjusted[index] ?? NaN, expected),
    );
  });

  it("estimate performance as NannyML's CBPE", () => {
    const p = [0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.95];
    const s = [0.05, 0.15, 0.4, 0.45, 0.65, 0.6, 0.9, 0.99];
    const found = estimatePerformance(p, s);
    const expected = {
      accuracy: 0.7375,
      precision: 0.7625,
      recall: 0.7261904761904763,
      f1: 0.7439024390243902,
      roc_auc: 0.8101503759398495,
    };
    for (const [metric, value] of Object.entries(expected)) near(found[metric as keyof typeof expected], value, metric);
  });

  it("compute the incomplete gamma function as scipy.special.gammaincc", () => {
    const cases: readonly (readonly [number, number, number])[] = [
      [0.5, 2, 0.04550026389635857],
      [1.5, 0.1, 0.9775892977616494],
      [10, 3, 0.9988975118698845],
      [250, 200, 0.9996379295417103],
    ];
    for (const [a, x, expected] of cases) near(upperGamma(a, x), expected);
    assert.ok(Math.abs(upperGamma(10, 40) / 3.925932226286184e-9 - 1) < 1e-9);
  });
});

describe("calibration", () => {
  const random = seededRandom(7);
  /** Rows whose class 1 has the probability sigmoid(z); the model says sigmoid(z · sharpness). */
  function simulate(
    count: number,
    sharpness: number,
    shift: number,
  ): { readonly labels: Float64Array; readonly said: Float64Array } {
    const [labels, said] = [new Float64Array(count), new Float64Array(count)];
    for (let row = 0; row < count; row++) {
      const z = 1.3 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()) + shift;
      labels[row] = random() < 1 / (1 + Math.exp(-z)) ? 1 : 0;
      said[row] = 1 / (1 + Math.exp(-z * sharpness));
    }
    return { labels, said };
  }

  it("fits the curve that scikit-learn's IsotonicRegression fits", () => {
    const curve = fitIsotonic([0.1, 0.4, 0.35, 0.8, 0.6, 0.35, 0.9, 0.2], [0, 0, 1, 1, 0, 1, 1, 0]);
    const expected = [0, 0, 0, 0, 1 / 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.75, 1, 1, 1];
    [0, 0.1, 0.15, 0.2, 0.3, 0.35, 0.38, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95, 1].forEach((x, index) =>
      near(applyIsotonic(curve, x), expected[index] ?? NaN, `at ${x}`),
    );
  });

  it("measures the calibration error as NannyML", () => {
    near(calibrationError([0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.95], [0, 0, 1, 0, 1, 1, 1, 1], 2), 0.1375);
  });

  for (const [name, sharpness] of [
    ["a calibrated", 1],
    ["an overconfident", 2.5],
    ["an underconfident", 0.4],
  ] as const) {
    it(`makes the estimate for ${name} model on shifted inputs true within 0.015`, () => {
      const held = simulate(30_000, sharpness, 0);
      const calibration = learnCalibration(held.said, held.labels);
      assert.ok(calibration !== undefined);
      if (sharpness !== 1)
        assert.ok(calibration.curve !== undefined && calibration.errorRaw > calibration.errorCalibrated);
      const current = simulate(30_000, sharpness, 0.4);
      const { curve } = calibration;
      const estimated = estimatePerformance(
        curve === undefined ? current.said : current.said.map((said) => applyIsotonic(curve, said)),
        current.said,
      );
      for (const metric of ["roc_auc", "f1", "precision", "recall", "accuracy"] as const) {
        const truth = evaluate(metric, { labels: current.labels, predictions: current.said }, "binary_classification");
        assert.ok(Math.abs(estimated[metric] - truth) < 0.015, `${metric}: ${estimated[metric]} against ${truth}`);
      }
    });
  }

  it("is not learned from one class or a few rows", () => {
    assert.equal(learnCalibration(new Float64Array(500).fill(0.3), new Float64Array(500)), undefined);
    assert.equal(learnCalibration([0.1, 0.9], [0, 1]), undefined);
  });
});

it("a distance of numbers near 1e15 is as exact as that of their differences", () => {
  const far = (count: number, offset: number): Float64Array =>
    Float64Array.from({ length: count }, (_, index) => 1e15 + ((index * 7919) % count) * 3 + offset);
  near(normedWasserstein(sortSample(far(1000, 0)), sortSample(far(800, 11))), 0.3339453361746812, "wasserstein");
});
