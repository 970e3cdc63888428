import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Clock, isEsteiraError, silentLog, systemClock } from "#base";
import { type AssetVersion, openMetadataStore } from "#metadata-store";
import { getEndpoint, listPredictions } from "#metadata-store/serving";
import { createServing, sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { deploy, readCase, registerModel, startServing, type TestServing } from "./served.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };

async function predictMany(test: TestServing, count: number): Promise<void> {
  const { rows } = await readCase("late-by-columns");
  const source = sourceOfRecords(Array.from({ length: count }, (_, row) => rows[row % rows.length]));
  await test.serving.endpoints.predict(KEY, {
    source,
    entityKeys: Array.from({ length: count }, (_, row) => `unit-${row}`),
  });
}

async function predictOne(test: Pick<TestServing, "serving">, unit: string): Promise<void> {
  const { rows } = await readCase("late-by-columns");
  await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows.slice(0, 1)), entityKeys: [unit] });
}

/** A model that loads, and needs a column that nobody sends. */
function registerPicky(test: TestServing): Promise<AssetVersion> {
  return registerModel(test, "late-by-matrix", {
    change: {
      inputs: [
        { name: "distance", type: "float" },
        { name: "humidity", type: "float" },
      ],
    },
  });
}

function shiftingClock(): { readonly clock: Clock; shift(ms: number): void } {
  let shiftMs = 0;
  return {
    clock: { now: () => Date.now() + shiftMs, monotonic: systemClock.monotonic },
    shift: (ms) => (shiftMs = ms),
  };
}

describe("a canary", () => {
  it("answers its share of the units, always the same ones, and takes over when its time ends", async () => {
    const { clock, shift } = shiftingClock();
    const test = await startServing("sqlite", { clock });
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { canary: "20%", watch: "10m", min_requests: 2 } });
    assert.equal((await test.serving.target.current(KEY))?.versionId, first.id);
    await predictMany(test, 1000);
    await predictMany(test, 1000);
    const logged = [
      ...(await test.store.read((transaction) =>
        listPredictions(transaction, { ...KEY, modelVersionId: first.id, limit: 1000 }),
      )),
      ...(await test.store.read((transaction) =>
        listPredictions(transaction, { ...KEY, modelVersionId: second.id, limit: 1000 }),
      )),
    ];
    const candidates = logged.filter((prediction) => prediction.arm === "candidate");
    assert.ok(candidates.length > 2 * 150 && candidates.length < 2 * 250, `${candidates.length} of 2,000`);
    assert.equal(new Set(candidates.map((prediction) => prediction.entityKey)).size, candidates.length / 2);
    assert.equal(await test.serving.target.settleTrials(), 0);
    shift(11 * 60_000);
    assert.equal(await test.serving.target.settleTrials(), 1);
    assert.equal((await test.serving.target.current(KEY))?.versionId, second.id);
    assert.equal((await test.store.read((transaction) => getEndpoint(transaction, KEY)))?.previousVersionId, first.id);
    const [trial] = await test.serving.target.trials(KEY);
    assert.deepEqual([trial?.outcome, trial?.reason], ["promoted", "passed"]);
  });

  it("leaves at once when an alert opens, and never makes a request fail", async () => {
    let alarmed = false;
    const test = await startServing("sqlite", { alerts: { openSince: async () => alarmed } });
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { canary: 100, rollback_on: "alert" } });
    await predictMany(test, 10);
    alarmed = true;
    assert.equal(await test.serving.target.settleTrials(), 1);
    const endpoint = await test.store.read((transaction) => getEndpoint(transaction, KEY));
    assert.deepEqual([endpoint?.modelVersionId, endpoint?.candidateVersionId], [first.id, undefined]);
    assert.equal((await test.serving.target.trials(KEY))[0]?.reason, "alert");
  });

  it("falls back to the stable version where the candidate cannot answer", async () => {
    const test = await startServing("sqlite");
    const [first, other] = [await registerModel(test, "late-by-columns"), await registerPicky(test)];
    await deploy(test.serving, first);
    await deploy(test.serving, other, { strategy: { canary: "100%" } });
    await predictMany(test, 5);
    assert.equal(test.serving.endpoints.counters.candidateFailed, 1);
    const logged = await test.store.read((transaction) => listPredictions(transaction, KEY));
    assert.deepEqual(new Set(logged.map((prediction) => prediction.modelVersionId)), new Set([first.id]));
  });
});

describeStores("a canary that fails", (kind) => {
  it("is out within its first ten failing requests, every caller was answered by the stable version, and the figures say why", async () => {
    const test = await startServing(kind);
    const [first, picky] = [await registerModel(test, "late-by-columns"), await registerPicky(test)];
    await deploy(test.serving, first);
    await deploy(test.serving, picky, { strategy: { canary: "50%", watch: "30m", rollback_on: "alert" } });
    for (let request = 0; request < 40; request++) await predictOne(test, `unit-${request}`);
    const endpoint = await test.store.read((transaction) => getEndpoint(transaction, KEY));
    assert.deepEqual(
      [endpoint?.modelVersionId, endpoint?.candidateVersionId, endpoint?.strategy],
      [first.id, undefined, { kind: "direct" }],
    );
    assert.equal(test.serving.endpoints.counters.candidateFailed, 3);
    const [trial] = await test.serving.target.trials(KEY);
    assert.deepEqual([trial?.outcome, trial?.reason], ["aborted", "failures"]);
    assert.match(
      trial?.explanation ?? "",
      /3 of the candidate's 3 requests failed, of the stable version's 0\.0 percent/,
    );
    assert.deepEqual(trial?.arms.find(({ arm }) => arm === "candidate")?.failures, [
      { code: "SERVING_COLUMN_MISSING", count: 3 },
    ]);
    assert.equal(
      (await test.store.read((transaction) => listPredictions(transaction, { ...KEY, limit: 100 }))).length,
      40,
    );
  });

  it("is judged by what a stopped process counted, too", async () => {
    const test = await startServing(kind);
    const [first, picky] = [await registerModel(test, "late-by-columns"), await registerPicky(test)];
    await deploy(test.serving, first);
    await deploy(test.serving, picky, { strategy: { canary: "100%" } });
    for (let request = 0; request < 2; request++) await predictOne(test, `unit-${request}`);
    const store = await openMetadataStore(test.address);
    const serving = createServing({ store, objects: test.objects, log: silentLog });
    await predictOne({ serving }, "unit-2");
    assert.equal((await serving.target.trials(KEY))[0]?.outcome, "aborted");
    await serving.close();
    await store.close();
  });
});

describe("a canary's time", () => {
  const trial = async (options: {
    readonly strategy: object;
    readonly requests: number;
  }): Promise<
    TestServing & { readonly shift: (ms: number) => void; readonly first: AssetVersion; readonly second: AssetVersion }
  > => {
    const { clock, shift } = shiftingClock();
    const test = await startServing("sqlite", { clock });
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: options.strategy });
    for (let request = 0; request < options.requests; request++) await predictOne(test, `unit-${request}`);
    return { ...test, shift, first, second };
  };

  it("does not promote it without traffic: it stays, says why, and leaves after ten times the time", async () => {
    const { serving, shift, first } = await trial({
      strategy: { canary: "100%", watch: "10m", min_requests: 5 },
      requests: 4,
    });
    shift(11 * 60_000);
    assert.equal(await serving.target.settleTrials(), 0);
    const [waiting] = await serving.target.trials(KEY);
    assert.deepEqual([waiting?.outcome, waiting?.reason], [undefined, "waiting_for_traffic"]);
    assert.match(waiting?.explanation ?? "", /4 of the 5 requests/);
    shift(100 * 60_000);
    assert.equal(await serving.target.settleTrials(), 1);
    assert.deepEqual(
      [(await serving.target.current(KEY))?.versionId, (await serving.target.trials(KEY))[0]?.reason],
      [first.id, "no_traffic"],
    );
  });

  it("promotes it with traffic, and shows requests, rows and latency of both arms", async () => {
    const { serving, shift, second } = await trial({
      strategy: { canary: "50%", watch: "10m", min_requests: 5 },
      requests: 40,
    });
    shift(11 * 60_000);
    assert.equal(await serving.target.settleTrials(), 1);
    assert.equal((await serving.target.current(KEY))?.versionId, second.id);
    const [{ arms } = { arms: [] }] = await serving.target.trials(KEY);
    assert.equal(
      arms.reduce((sum, { requests }) => sum + requests, 0),
      40,
    );
    for (const { p50Ms = 0, p95Ms = 0, requests } of arms) assert.ok(requests > 5 && p50Ms > 0 && p95Ms >= p50Ms);
  });

  it("ends it when it is slower than the step allows", async () => {
    const { serving, shift, first } = await trial({
      strategy: { canary: "100%", watch: "10m", min_requests: 5, max_p95: "0ms" },
      requests: 6,
    });
    shift(11 * 60_000);
    assert.equal(await serving.target.settleTrials(), 1);
    assert.deepEqual(
      [(await serving.target.current(KEY))?.versionId, (await serving.target.trials(KEY))[0]?.reason],
      [first.id, "latency"],
    );
  });
});

describe("a shadow", () => {
  it("predicts the same rows without being answered", async () => {
    const test = await startServing("sqlite");
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { shadow: true } });
    const { rows } = await readCase("late-by-columns");
    const answer = await test.serving.endpoints.predict(KEY, { source: sourceOfRecords(rows) });
    assert.equal(answer.model.version.id, first.id);
    const shadows = async (): Promise<number> =>
      (
        await test.store.read((transaction) => listPredictions(transaction, { ...KEY, modelVersionId: second.id }))
      ).filter((prediction) => prediction.arm === "shadow").length;
    const deadline = Date.now() + 5000;
    while ((await shadows()) < rows.length) {
      assert.ok(Date.now() < deadline, "the shadow never predicted");
      await new Promise(setImmediate);
    }
    const [trial] = await test.serving.target.trials(KEY);
    assert.deepEqual(
      [trial?.kind, trial?.comparison],
      ["shadow", { rows: rows.length, meanDifference: 0, agreedShare: 1 }],
    );
    assert.deepEqual(
      trial?.arms.map(({ arm, requests }) => [arm, requests]),
      [
        ["stable", 1],
        ["candidate", 1],
      ],
    );
  });
});

describe("a strategy", () => {
  it("that cannot be is refused before anything is switched", async () => {
    const test = await startServing("sqlite");
    const version = await registerModel(test, "late-by-columns");
    for (const strategy of [
      { canary: "10" },
      { canary: "120%" },
      { canary: 5, shadow: true },
      { blue: 1 },
      {},
      { shadow: "10%" },
      { canary: 5, min_requests: 0 },
      { canry: 5 },
    ]) {
      await assert.rejects(
        deploy(test.serving, version, { strategy }),
        (error) => isEsteiraError(error, "SERVING_STRATEGY_INVALID"),
        JSON.stringify(strategy),
      );
    }
    assert.equal(await test.serving.target.current(KEY), undefined);
  });
});
