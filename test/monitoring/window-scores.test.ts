import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MonitorScore, MonitorWindow } from "#metadata-store/monitoring";
import { scoreDrift, toColumnSample } from "#monitoring";
import { judgeWindow } from "../../src/monitoring/judge.ts";
import type { MonitorRule } from "../../src/monitoring/monitor-file.ts";
import type { Reference } from "../../src/monitoring/reference.ts";
import { seededRandom } from "../../src/monitoring/statistics/seeded-random.ts";
import { computeScores } from "../../src/monitoring/window-scores.ts";

const ROWS = 900;

/** A reference and a window of numeric columns; each column is given by how its two sides are drawn. */
async function compare(
  columns: Readonly<Record<string, readonly [() => number, () => number]>>,
  rule: MonitorRule,
): Promise<{ readonly judged: ReturnType<typeof judgeWindow>; readonly scores: readonly MonitorScore[] }> {
  const draw = (of: () => number): Float64Array => Float64Array.from({ length: ROWS }, of);
  const names = Object.keys(columns);
  const current = new Map(names.map((name) => [name, draw(columns[name]?.[1] ?? (() => NaN))]));
  const reference = {
    model: { task: "regression", inputs: names.map((name) => ({ name, type: "float" })) },
    columns: new Map(names.map((name) => [name, toColumnSample(draw(columns[name]?.[0] ?? (() => NaN)), "float")])),
    predictions: toColumnSample(Float64Array.of(1, 2, 3), "float"),
    performance: { overall: {}, segments: new Map() },
    estimator: undefined,
    samplingErrors: new Map(),
    metricSpread: new Map(),
    driftSpread: new Map(),
    segmentColumns: new Map(),
    held: undefined,
    rows: undefined,
  } as unknown as Reference;
  const rows = {
    rowCount: ROWS,
    labelled: 0,
    versions: new Map(),
    columns: current,
    segments: new Map(),
    facts: { mismatches: new Map(), duplicates: 0, largestGapMs: 0 },
    predictions: new Float64Array(ROWS).fill(2),
    outcomes: {
      labels: new Float64Array(),
      predictions: new Float64Array(),
      times: new Float64Array(),
      segments: new Map(),
    },
    times: new Float64Array(),
    featureStatus: [],
  };
  const scores = await computeScores(rows, reference, { minRows: 200, segments: [], rules: [rule] });
  return {
    scores,
    judged: judgeWindow(rule, { predictions: ROWS, labelled: 0, scores } as unknown as MonitorWindow, {
      min_rows: 200,
    }),
  };
}

describe("the drift of many columns", () => {
  const random = seededRandom(11);
  const noise = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`c${index}`, [random, random] as const]));

  it("is judged by p-values adjusted for their number: chance alone opens no alert", async () => {
    const { judged, scores } = await compare(noise, { consecutive: 1, drift: { method: "ks" } });
    assert.ok(
      scores.some(({ metric, value }) => metric === "drift.ks" && (value ?? 1) < 0.05),
      "by chance some of sixty p-values are small",
    );
    assert.deepEqual(
      judged.filter(({ breached }) => breached),
      [],
    );
    assert.deepEqual(
      scores.filter(({ metric, breached }) => metric.startsWith("drift.") && breached === true),
      [],
    );
  });

  it("still finds the one that drifted, and says by how much it was adjusted", async () => {
    const { judged } = await compare(
      { ...noise, moved: [random, () => random() + 0.15] },
      { consecutive: 1, drift: { method: "ks" } },
    );
    const found = judged.filter(({ breached }) => breached);
    assert.deepEqual(
      found.map(({ subject }) => subject),
      ["moved"],
    );
    assert.match(found[0]?.message ?? "", /adjusted for 61 columns/);
  });
});

it("an empty side has no score, neither drifted nor alike", () => {
  const [some, none] = [toColumnSample([1, 2, 3], "float"), toColumnSample([NaN], "float")];
  for (const [reference, current] of [
    [some, none],
    [none, some],
  ] as const)
    assert.throws(() => scoreDrift(reference, current), { code: "MONITORING_EMPTY_SAMPLE" });
});

describe("a column without values", () => {
  const random = seededRandom(3);
  for (const rule of [
    { consecutive: 1, drift: {} },
    { consecutive: 1, drift: { method: "ks" } },
    { consecutive: 1, drift: { share: 0.5 } },
  ] as const) {
    it(`has drifted (${JSON.stringify(rule.drift)})`, async () => {
      const { judged } = await compare({ kept: [random, random], gone: [random, () => NaN] }, rule);
      const found = judged.filter(({ breached }) => breached);
      assert.equal(found.length, 1);
      assert.match(
        found[0]?.message ?? "",
        "share" in rule.drift
          ? /1 of 2 columns drifted \(gone\)/
          : /column "gone" drifted: 100 % of its values are missing \(0 % in the reference\)/,
      );
    });
  }

  it("has drifted too when a few values are left, and has not when the reference had as few", async () => {
    const few = (): number => (random() < 0.05 ? random() : NaN);
    const { judged } = await compare({ gone: [random, few], rare: [few, few] }, { consecutive: 1, drift: {} });
    assert.deepEqual(
      judged.map(({ subject, breached }) => [subject, breached]),
      [["gone", true]],
    );
  });
});
