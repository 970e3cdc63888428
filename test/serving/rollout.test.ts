import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Clock, isEsteiraError, systemClock } from "#base";
import { getEndpoint, listPredictions } from "#metadata-store";
import { sourceOfRecords } from "#serving";
import { deploy, readCase, registerModel, startServing, type TestServing } from "./served.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };

async function predictMany(test: TestServing, count: number): Promise<void> {
  const { rows } = await readCase("late-by-columns");
  const source = sourceOfRecords(Array.from({ length: count }, (_, row) => rows[row % rows.length]));
  await test.serving.endpoints.predict(KEY, { source, entityKeys: Array.from({ length: count }, (_, row) => `unit-${row}`) });
}

describe("a canary", () => {
  it("answers its share of the units, always the same ones, and takes over when its time ends", async () => {
    let shiftMs = 0;
    const clock: Clock = { now: () => Date.now() + shiftMs, monotonic: systemClock.monotonic };
    const test = await startServing("sqlite", { clock });
    const [first, second] = [await registerModel(test, "late-by-columns"), await registerModel(test, "late-by-columns")];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { canary: "20%", watch: "10m" } });
    assert.equal((await test.serving.target.current(KEY))?.versionId, first.id);
    await predictMany(test, 1000);
    await predictMany(test, 1000);
    const logged = [
      ...(await test.store.read((transaction) => listPredictions(transaction, { ...KEY, modelVersionId: first.id, limit: 1000 }))),
      ...(await test.store.read((transaction) => listPredictions(transaction, { ...KEY, modelVersionId: second.id, limit: 1000 }))),
    ];
    const candidates = logged.filter((prediction) => prediction.arm === "candidate");
    assert.ok(candidates.length > 2 * 150 && candidates.length < 2 * 250, `${candidates.length} of 2,000`);
    assert.equal(new Set(candidates.map((prediction) => prediction.entityKey)).size, candidates.length / 2);
    assert.equal(await test.serving.target.settleTrials(), 0);
    shiftMs = 11 * 60_000;
    assert.equal(await test.serving.target.settleTrials(), 1);
    assert.equal((await test.serving.target.current(KEY))?.versionId, second.id);
    assert.equal((await test.store.read((transaction) => getEndpoint(transaction, KEY)))?.previousVersionId, first.id);
  });

  it("leaves at once when an alert opens, and never makes a request fail", async () => {
    let alarmed = false;
    const test = await startServing("sqlite", { alerts: { openSince: async () => alarmed } });
    const first = await registerModel(test, "late-by-columns");
    const picky = await registerModel(test, "late-by-columns", { change: { inputs: [{ name: "distance", type: "float" }, { name: "hour", type: "integer" }, { name: "origin", type: "string" }], example: undefined } });
    await deploy(test.serving, first);
    await deploy(test.serving, picky, { strategy: { canary: 100, rollback_on: "alert" } });
    await predictMany(test, 10);
    alarmed = true;
    assert.equal(await test.serving.target.settleTrials(), 1);
    const endpoint = await test.store.read((transaction) => getEndpoint(transaction, KEY));
    assert.deepEqual([endpoint?.modelVersionId, endpoint?.candidateVersionId], [first.id, undefined]);
  });

  it("falls back to the stable version where the candidate cannot answer", async () => {
    const test = await startServing("sqlite");
    const first = await registerModel(test, "late-by-columns");
    const other = await registerModel(test, "late-by-matrix", { change: { inputs: [{ name: "distance", type: "float" }, { name: "humidity", type: "float" }] } });
    await deploy(test.serving, first);
    await deploy(test.serving, other, { strategy: { canary: "100%" } });
    await predictMany(test, 5);
    assert.equal(test.serving.endpoints.counters.candidateFailed, 1);
    const logged = await test.store.read((transaction) => listPredictions(transaction, KEY));
    assert.deepEqual(new Set(logged.map((prediction) => prediction.modelVersionId)), new Set([first.id]));
  });
});

describe("a shadow", () => {
  it("predicts the same rows without being answered", async () => {
    const test = await startServing("sqlite");
    const [first, second] = [await registerModel(test, "late-by-columns"), await registerModel(test, "late-by-columns")];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { shadow: true } });
    const { rows } = await readCase("late-by-columns");
    const answer = await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows) });
    assert.equal(answer.model.version.id, first.id);
    const shadows = async (): Promise<number> => (await test.store.read((transaction) => listPredictions(transaction, { ...KEY, modelVersionId: second.id }))).filter((prediction) => prediction.arm === "shadow").length;
    const deadline = Date.now() + 5000;
    while ((await shadows()) < rows.length) {
      assert.ok(Date.now() < deadline, "the shadow never predicted");
      await new Promise(setImmediate);
    }
  });
});

describe("a strategy", () => {
  it("that cannot be is refused before anything is switched", async () => {
    const test = await startServing("sqlite");
    const version = await registerModel(test, "late-by-columns");
    for (const strategy of [{ canary: "10" }, { canary: "120%" }, { canary: 5, shadow: true }, { blue: 1 }]) {
      await assert.rejects(deploy(test.serving, version, { strategy }), (error) => isEsteiraError(error, "SERVING_STRATEGY_INVALID"), JSON.stringify(strategy));
    }
    assert.equal(await test.serving.target.current(KEY), undefined);
  });
});
