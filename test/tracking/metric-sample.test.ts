import assert from "node:assert/strict";
import { it } from "node:test";
import type { MetadataStore } from "#metadata-store";
import { createRun, getMetricAtSteps, getMetricSteps, logMetrics } from "#metadata-store/tracking";
import { describeStores, openTestStore } from "../setup/stores.ts";

async function runWithPoints(
  store: MetadataStore,
  count: number,
  timestampOf: (step: number) => number,
): Promise<number> {
  return store.write(async (tx) => {
    const facts = {
      runId: "a".repeat(32),
      experimentId: 0,
      project: "p",
      runName: "r",
      userId: "",
      startTimeMs: 1,
      artifactUri: "x",
      tags: [],
      atMs: 1,
      actor: "ana",
    };
    const { number } = await createRun(tx, facts);
    await logMetrics(
      tx,
      number,
      Array.from({ length: count }, (_, step) => ({ key: "m", value: step / 3, timestampMs: timestampOf(step), step })),
      1,
    );
    return number;
  });
}

describeStores("the steps of a metric for a chart", (kind) => {
  it("are all there for a metric of usual length", async () => {
    const { store } = await openTestStore(kind);
    const run = await runWithPoints(store, 1000, (step) => step);
    const steps = await store.read((tx) => getMetricSteps(tx, { run, key: "m", sample: 10 }));
    assert.deepEqual(
      steps,
      Array.from({ length: 1000 }, (_, index) => index),
    );
    const zoomed = await store.read((tx) => getMetricSteps(tx, { run, key: "m", first: 100, last: 103, sample: 10 }));
    assert.deepEqual(zoomed, [100, 101, 102, 103]);
  });

  it("are a sample of a long one, spread over all of it, with both ends, and its points can be read", async () => {
    const { store } = await openTestStore(kind);
    const run = await runWithPoints(store, 60_000, (step) => step * 10);
    const steps = await store.read((tx) => getMetricSteps(tx, { run, key: "m", sample: 300 }));
    assert.deepEqual([steps[0], steps.at(-1), steps.length], [0, 59_999, 301]);
    const gaps = steps.slice(1).map((step, index) => Number(step) - Number(steps[index]));
    assert.equal(Math.max(...gaps), 200);
    const points = await store.read((tx) => getMetricAtSteps(tx, { run, key: "m", steps, limit: 1000 }));
    assert.deepEqual(
      points.map(({ step }) => step),
      steps,
    );
  });

  it("are all there when the points of a long metric share one moment", async () => {
    const { store } = await openTestStore(kind);
    const run = await runWithPoints(store, 60_000, () => 7);
    assert.equal((await store.read((tx) => getMetricSteps(tx, { run, key: "m", sample: 300 }))).length, 60_000);
  });
});
