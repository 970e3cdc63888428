// Who waits for whom: large requests are computed in pieces.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import type { AssetVersion } from "#metadata-store";
import { listPredictions } from "#metadata-store/serving";
import { sourceOfRecords } from "#serving";
import { createBatcher } from "../../src/serving/runtime/batcher.ts";
import { deploy, readCase, registerModel, startServing, type TestServing } from "./served.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };

function score({ serving }: TestServing, version: AssetVersion, rowCount: number): Promise<Float64Array> {
  return serving.scorer.score(version, {
    rowCount,
    columns: new Map([
      ["distance", new Float64Array(rowCount).fill(500)],
      ["hour", new Float64Array(rowCount).fill(12)],
    ]),
  });
}

async function open(): Promise<TestServing & { readonly first: AssetVersion; readonly second: AssetVersion }> {
  const test = await startServing("sqlite");
  const [first, second] = [
    await registerModel(test, "late-by-matrix"),
    await registerModel(test, "late-by-matrix", { asset: "other" }),
  ];
  await deploy(test.serving, first);
  await deploy(test.serving, second, { environment: "staging" });
  return { ...test, first, second };
}

describe("one row", () => {
  for (const which of ["another model", "the same model"] as const) {
    it(`is answered before a large batch of ${which} that came first`, async () => {
      const test = await open();
      const order: string[] = [];
      const large = score(test, test.first, 400_000).then((scores) => (order.push("large"), scores));
      const small = score(test, which === "the same model" ? test.first : test.second, 1).then(
        (scores) => (order.push("small"), scores),
      );
      const [all, [one]] = await Promise.all([large, small]);
      assert.deepEqual(order, ["small", "large"]);
      assert.equal(all.length, 400_000);
      assert.ok(
        all.every((value) => value === one),
        "in pieces or alone, the answer is the same",
      );
    });
  }
});

describe("a request", () => {
  it("that takes longer than it may is answered with 504", async () => {
    // A model that never answers.
    const batcher = createBatcher({
      name: "delay version 1",
      execute: () => new Promise(() => undefined),
      timeoutMs: 1,
    });
    const answer = batcher.run({ rowCount: 1, columns: [new Float64Array(1)] });
    await assert.rejects(
      answer,
      (error) =>
        isEsteiraError(error, "SERVING_TIME_EXCEEDED") && (error as unknown as { status: number }).status === 504,
    );
  });

  it("whose caller left is not computed and not logged", async () => {
    const test = await open();
    const { rows } = await readCase("late-by-matrix");
    const gone = new AbortController();
    const predicting = test.serving.endpoints.predict(KEY, {
      source: sourceOfRecords(Array.from({ length: 40_000 }, (_, row) => rows[row % rows.length])),
      signal: gone.signal,
    });
    gone.abort();
    await assert.rejects(predicting, (error) => isEsteiraError(error, "SERVING_CALLER_GONE"));
    assert.deepEqual(await test.store.read((transaction) => listPredictions(transaction, KEY)), []);
  });
});
