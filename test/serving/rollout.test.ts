import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Clock, isEsteiraError, newId, silentLog, systemClock } from "#base";
import type { ApprovalCheck } from "#delivery";
import { type AssetVersion, openMetadataStore } from "#metadata-store";
import { insertRelease, setDeployed } from "#metadata-store/delivery";
import { getEndpoint, listPredictions, recordLabels } from "#metadata-store/serving";
import { createServing, sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { deploy, readCase, registerModel, rolloutsOf, startServing, type TestServing } from "./served.ts";

/** What a handful of requests can show. */
const LENIENT = { max_errors: "99%", max_p99: "60s", max_shift: "100%" };
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
    await deploy(test.serving, second, {
      strategy: { canary: "20%", watch: "10m", min_requests: 2, ...LENIENT },
    });
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
    assert.equal(await test.rollouts.settle(), 0);
    shift(11 * 60_000);
    assert.equal(await test.rollouts.settle(), 1);
    assert.equal((await test.serving.target.current(KEY))?.versionId, second.id);
    assert.equal((await test.store.read((transaction) => getEndpoint(transaction, KEY)))?.previousVersionId, first.id);
    const [trial] = await test.rollouts.report(KEY);
    assert.deepEqual([trial?.outcome, trial?.reason], ["promoted", "passed"]);
  });

  it("leaves at once when an alert opens, and never makes a request fail", async () => {
    let alarmed = false;
    const test = await startServing("sqlite", { watch: { openSince: async () => alarmed } });
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { canary: 100, rollback_on: "alert" } });
    await predictMany(test, 10);
    alarmed = true;
    assert.equal(await test.rollouts.settle(), 1);
    const endpoint = await test.store.read((transaction) => getEndpoint(transaction, KEY));
    assert.deepEqual([endpoint?.modelVersionId, endpoint?.candidateVersionId], [first.id, undefined]);
    assert.equal((await test.rollouts.report(KEY))[0]?.reason, "alert");
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
    const { candidateFailed } = test.serving.endpoints.counters;
    assert.ok(candidateFailed <= 10, `${candidateFailed}`);
    const [trial] = await test.rollouts.report(KEY);
    assert.deepEqual([trial?.outcome, trial?.reason], ["aborted", "failures"]);
    assert.match(
      trial?.explanation ?? "",
      new RegExp(
        `${candidateFailed} of the candidate's ${candidateFailed} requests failed, of the stable version's 0.0 percent`,
      ),
    );
    assert.deepEqual(trial?.arms.find(({ arm }) => arm === "candidate")?.failures, [
      { code: "SERVING_COLUMN_MISSING", count: candidateFailed },
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
    for (let request = 0; request < 4; request++) await predictOne(test, `unit-${request}`);
    assert.equal((await test.rollouts.report(KEY))[0]?.outcome, undefined);
    const store = await openMetadataStore(test.address);
    const serving = createServing({ store, objects: test.objects, log: silentLog });
    const rollouts = rolloutsOf(serving, { store });
    for (let request = 4; request < 7; request++) await predictOne({ serving }, `unit-${request}`);
    assert.equal((await rollouts.report(KEY))[0]?.outcome, "aborted");
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
    const { serving, rollouts, shift, first } = await trial({
      strategy: { canary: "100%", watch: "10m", min_requests: 5 },
      requests: 4,
    });
    shift(11 * 60_000);
    assert.equal(await rollouts.settle(), 0);
    const [waiting] = await rollouts.report(KEY);
    assert.deepEqual([waiting?.outcome, waiting?.reason], [undefined, "waiting_for_traffic"]);
    assert.match(waiting?.explanation ?? "", /4 requests, of 5 it needs/);
    shift(100 * 60_000);
    assert.equal(await rollouts.settle(), 1);
    assert.deepEqual(
      [(await serving.target.current(KEY))?.versionId, (await rollouts.report(KEY))[0]?.reason],
      [first.id, "no_traffic"],
    );
  });

  it("promotes it with traffic, and shows requests, rows and latency of both arms", async () => {
    const { serving, rollouts, shift, second } = await trial({
      strategy: { canary: "50%", watch: "10m", min_requests: 5, ...LENIENT },
      requests: 40,
    });
    shift(11 * 60_000);
    assert.equal(await rollouts.settle(), 1);
    assert.equal((await serving.target.current(KEY))?.versionId, second.id);
    const [{ arms } = { arms: [] }] = await rollouts.report(KEY);
    assert.equal(
      arms.reduce((sum, { requests }) => sum + requests, 0),
      40,
    );
    for (const { p50Ms = 0, p95Ms = 0, requests } of arms) assert.ok(requests > 5 && p50Ms > 0 && p95Ms >= p50Ms);
  });

  it("ends when it is slower than the step allows, as soon as that is certain", async () => {
    const { serving, rollouts, first } = await trial({
      strategy: { canary: "100%", watch: "10m", min_requests: 5, max_p95: "0ms" },
      requests: 12,
    });
    assert.equal(await rollouts.settle(), 1);
    assert.deepEqual(
      [(await serving.target.current(KEY))?.versionId, (await rollouts.report(KEY))[0]?.reason],
      [first.id, "latency"],
    );
  });
});

describeStores("a comparison of two versions", (kind) => {
  const begin = async (strategy: object) => {
    const { clock, shift } = shiftingClock();
    const test = await startServing(kind, { clock });
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { ...LENIENT, min_requests: 2, ...strategy } });
    return { ...test, shift, first, second };
  };
  const log = (test: TestServing) =>
    test.store.read((transaction) => listPredictions(transaction, { ...KEY, limit: 1000 }));

  it("gives a unit always the same version, and logs with what chance", async () => {
    const test = await begin({ ab: "30%", metric: "reward" });
    await predictMany(test, 200);
    await predictMany(test, 200);
    const rows = await log(test);
    const arms = Map.groupBy(rows, ({ entityKey }) => entityKey);
    for (const [, group] of arms) assert.equal(new Set(group.map(({ modelVersionId }) => modelVersionId)).size, 1);
    for (const { arm, propensity } of rows) assert.equal(propensity, arm === "candidate" ? 0.3 : 0.7);
    const share = rows.filter(({ arm }) => arm === "candidate").length / rows.length;
    assert.ok(share > 0.2 && share < 0.4, `${share}`);
  });

  it("lets a header choose the version, or say who asks; chosen rows are nobody's evidence", async () => {
    const test = await begin({ ab: "50%", metric: "reward", header: "X-Arm", sticky_by: "x-user" });
    const { rows } = await readCase("late-by-columns");
    const ask = (headers: Readonly<Record<string, string>>) =>
      test.serving.endpoints.predict(KEY, {
        source: sourceOfRecords(rows.slice(0, 1)),
        header: (name) => headers[name],
      });
    const versionOf = async (headers: Readonly<Record<string, string>>): Promise<string> => {
      const { candidate, model } = await ask(headers);
      return candidate?.version.id ?? model.version.id;
    };
    assert.equal(await versionOf({ "x-arm": "candidate" }), test.second.id);
    assert.equal(await versionOf({ "x-arm": "stable" }), test.first.id);
    await assert.rejects(
      ask({ "x-arm": "both" }),
      (error) => isEsteiraError(error, "SERVING_REQUEST_INVALID") && /stable or candidate/.test(error.message),
    );
    for (const { propensity } of await log(test)) assert.equal(propensity, undefined);
    const users = Array.from({ length: 20 }, (_, user) => ({ "x-user": `ana-${user}` }));
    const [once, again] = [[], []] as [string[], string[]];
    for (const user of users) once.push(await versionOf(user));
    for (const user of users) again.push(await versionOf(user));
    assert.deepEqual(again, once);
    assert.equal(new Set(once).size, 2);
  });

  it("follows the labels where a bandit draws the share, and ends with the better version", async () => {
    const test = await begin({ bandit: "thompson", metric: "reward", min_share: "10%", watch: "1h" });
    await predictMany(test, 600);
    const drawn = await log(test);
    await test.store.write((transaction) =>
      recordLabels(transaction, {
        ...KEY,
        labels: drawn.map(({ id, arm }) => ({ id, label: arm === "candidate" ? 1 : 0 })),
        receivedAtMs: Date.now(),
        actor: "ana",
      }),
    );
    test.shift(2 * 60_000);
    assert.equal(await test.rollouts.settle(), 0);
    const [trial] = await test.rollouts.report(KEY);
    assert.deepEqual([trial?.kind, trial?.percent, trial?.outcome], ["bandit", 90, undefined]);
    assert.deepEqual(
      trial?.arms.map(({ metric }) => [metric?.name, metric?.value]),
      [
        ["reward", 0],
        ["reward", 1],
      ],
    );
    await predictMany(test, 50);
    const later = (await log(test)).filter(({ id }) => !drawn.some((known) => known.id === id));
    assert.deepEqual(new Set(later.map(({ arm, propensity }) => `${arm} ${propensity?.toFixed(2)}`)).size, 2);
    for (const { arm, propensity = 0 } of later)
      assert.equal(propensity.toFixed(2), arm === "candidate" ? "0.90" : "0.10");
    test.shift(61 * 60_000);
    assert.equal(await test.rollouts.settle(), 1);
    const [ended] = await test.rollouts.report(KEY);
    assert.deepEqual([ended?.outcome, ended?.reason], ["promoted", "better"]);
    assert.equal((await test.serving.target.current(KEY))?.versionId, test.second.id);
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
    const [trial] = await test.rollouts.report(KEY);
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
        (error) => isEsteiraError(error, "DELIVERY_STRATEGY_INVALID"),
        JSON.stringify(strategy),
      );
    }
    assert.equal(await test.serving.target.current(KEY), undefined);
  });
});

/** Rules under which nothing may go anywhere. */
const CLOSED_RULES: ApprovalCheck = {
  check: async () => ({
    open: false,
    refused: false,
    gate: { key: "approval:x:production", reason: "it waits for ana" },
  }),
  stands: async () => ({ open: true, approvedBy: [], digest: undefined }),
};

describeStores("a trial", (kind) => {
  const begin = async (strategy: object, options: Parameters<typeof startServing>[1] = {}) => {
    const test = await startServing(kind, options);
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy });
    return { ...test, first, second };
  };

  it("is ended by hand, with who and why, and never twice", async () => {
    const { rollouts, serving, second } = await begin({ canary: "10%" });
    await rollouts.promote(KEY, { actor: "ana", reason: "tested by hand" });
    assert.equal((await serving.target.current(KEY))?.versionId, second.id);
    const [report] = await rollouts.report(KEY);
    assert.deepEqual([report?.outcome, report?.reason], ["promoted", "by_hand"]);
    assert.match(report?.explanation ?? "", /ana: tested by hand/);
    await assert.rejects(rollouts.abort(KEY, { actor: "ana" }), (error) =>
      isEsteiraError(error, "DELIVERY_NOTHING_TRIED"),
    );
  });

  it("is taken back by hand, and the stable version answers alone", async () => {
    const { rollouts, serving, first } = await begin({ shadow: true });
    await rollouts.abort(KEY, { actor: "ana" });
    const now = await serving.target.current(KEY);
    assert.deepEqual([now?.versionId, now?.candidateVersionId], [first.id, undefined]);
  });

  it("grows from share to share and keeps its figures; two servers on one store agree on every move", async () => {
    const { clock, shift } = shiftingClock();
    const test = await begin({ canary: ["20%", "60%"], watch: "1m", min_requests: 2, ...LENIENT }, { clock });
    const store = await openMetadataStore(test.address);
    const other = createServing({ store, objects: test.objects, log: silentLog, clock });
    const others = rolloutsOf(other, { store, clock });
    for (let request = 0; request < 60; request++)
      await predictOne(request % 2 === 0 ? test : { serving: other }, `unit-${request}`);
    shift(61_000);
    await Promise.all([test.rollouts.settle(), others.settle()]);
    const percents = await Promise.all([test.rollouts, others].map(async (one) => (await one.report(KEY))[0]?.percent));
    assert.deepEqual(percents, [60, 60]);
    const [grown] = await others.report(KEY);
    assert.equal(
      grown?.arms.reduce((sum, { requests }) => sum + requests, 0),
      60,
    );
    // The server that came second may still answer at the first share; of so many units none has too few.
    for (let request = 0; request < 120; request++) await predictOne({ serving: other }, `more-${request}`);
    shift(130_000);
    const ended = await Promise.all([test.rollouts.settle(), others.settle()]);
    assert.equal(
      ended.reduce((sum, count) => sum + count, 0),
      1,
      JSON.stringify((await others.report(KEY))[0]),
    );
    for (const serving of [test.serving, other])
      assert.equal((await serving.target.current(KEY))?.versionId, test.second.id);
    await other.close();
    await store.close();
  });

  it("says what its labels showed, and waits for them", async () => {
    const { clock, shift } = shiftingClock();
    const strategy = { canary: "50%", watch: "1m", min_requests: 1, metric: "roc_auc", ...LENIENT };
    const test = await begin(strategy, { clock });
    for (let request = 0; request < 20; request++) await predictOne(test, `unit-${request}`);
    shift(61_000);
    assert.equal(await test.rollouts.settle(), 0);
    await test.store.write((transaction) =>
      recordLabels(transaction, {
        ...KEY,
        labels: Array.from({ length: 20 }, (_, row) => ({ entityKey: `unit-${row}`, label: row % 2 })),
        receivedAtMs: clock.now(),
        actor: "ana",
      }),
    );
    const [report] = await test.rollouts.report(KEY);
    assert.equal(report?.reason, "waiting_for_labels");
    const metric = report?.checks.find(({ name }) => name === "metric");
    assert.deepEqual([metric?.subject, metric?.state], ["roc_auc", "open"]);
    assert.equal(metric?.count, report?.arms.find(({ arm }) => arm === "candidate")?.requests);
  });
});

describe("the rules of an environment", () => {
  it("keep a candidate that has passed out, and one that is promoted by hand", async () => {
    const { clock, shift } = shiftingClock();
    const test = await startServing("sqlite", { clock, approvals: CLOSED_RULES });
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns"),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { strategy: { canary: "50%", watch: "1m", min_requests: 1, ...LENIENT } });
    // The release that brought the candidate: what no release brought has no rules to ask.
    await test.store.write(async (transaction) => {
      const release = { project: "p", environment: "production", asset: "delay", versionId: second.id };
      const { id: releaseId } = await insertRelease(transaction, {
        ...release,
        id: newId(),
        settings: { target: "model", endpoint: "delay" },
        versions: [],
        createdBy: "ana",
        createdAtMs: 1,
      });
      await setDeployed(transaction, { ...release, deploymentId: "d", releaseId, atMs: 1 });
    });
    for (let request = 0; request < 40; request++) await predictOne(test, `unit-${request}`);
    shift(61_000);
    assert.equal(await test.rollouts.settle(), 0);
    await assert.rejects(test.rollouts.promote(KEY, { actor: "ana" }), (error) =>
      isEsteiraError(error, "DELIVERY_NOT_APPROVED"),
    );
    assert.equal((await test.serving.target.current(KEY))?.versionId, first.id);
  });
});
