// What an endpoint read from the real online store against the real offline join.
import assert from "node:assert/strict";
import { after, it } from "node:test";
import { digestOf, silentLog, systemClock } from "#base";
import { recordAssetVersion, type StoreKind } from "#metadata-store";
import { listFeatureViewStates, putOnlineFeatures } from "#metadata-store/features";
import { listWindows, type MonitorScore } from "#metadata-store/monitoring";
import { createMonitoring, type Monitoring, readMonitorDeclarations } from "#monitoring";
import { createOutbox } from "#outbox";
import { createServing, sourceOfRecords } from "#serving";
import { type FeatureBench, openFeatureBench } from "../features/feature-bench.ts";
import { isEqual, textOf } from "../../src/monitoring/served-value.ts";
import { registerModel } from "../serving/served.ts";
import { openTestPredictions } from "../setup/predictions.ts";
import { describeStores } from "../setup/stores.ts";
import { createRowReader, KEY, makeFlights } from "./watched.ts";

const FILE = (rule: string): ReadonlyMap<string, string> =>
  new Map([
    ["monitors/delay.yaml", `endpoint: delay\nwindow: day\nmin_rows: 5\nmonitors:\n  served: { skew: ${rule} }\n`],
  ]);
const DEFINITIONS = `entities:
  route: { keys: [route] }
  plane: { keys: [plane] }
views:
  routes: { source: routes, entities: [route], timestamp: at, features: [distance] }
  planes: { source: planes, entities: [plane], timestamp: at, ttl: 9d, features: [hour] }
services:
  svc: { features: [routes, planes] }
`;
const NOON_MS = Date.parse("2026-01-01T12:00:00Z");
const DAY_MS = 86_400_000;

interface Watched extends FeatureBench {
  readonly monitoring: Monitoring;
  /** Asks the endpoint on a day. */
  ask(day: number, rows: readonly object[]): Promise<void>;
  /** Judges the windows until the end of a day. */
  judge(day: number): ReturnType<Monitoring["evaluate"]>;
  scores(day: number): Promise<readonly Pick<MonitorScore, "subject" | "value" | "n" | "method">[]>;
}

async function watch(kind: StoreKind, { service = "svc", rule = "{}" } = {}): Promise<Watched> {
  const bench = await openFeatureBench(kind);
  const { store, objects, features } = bench;
  await bench.define(DEFINITIONS);
  await bench.make(
    "routes",
    `select 'a' as route, timestamptz '2026-01-01 11:00:00Z' as at, 0.1::float as distance union all select 'b', timestamptz '2026-01-01 10:00:00Z', null union all select 'c', timestamptz '2026-01-01 10:00:00Z', 'nan'::float`,
  );
  await bench.make(
    "planes",
    `select 1 as plane, timestamptz '2026-01-01 11:00:00Z' as at, 23::bigint as hour union all select 2, timestamptz '2026-01-01 11:00:00Z', 22`,
  );
  await features.catchUp();
  const serving = createServing({
    store,
    objects,
    log: silentLog,
    features,
    trainingNulls: async () => new Set(["distance"]),
  });
  after(() => serving.close());
  const { version: training } = await store.write((transaction) =>
    recordAssetVersion(transaction, {
      project: "p",
      asset: "training_set",
      kind: "data",
      digest: digestOf("training"),
      madeAtMs: systemClock.now(),
      actor: "ana",
      content: {},
      inputs: [],
    }),
  );
  const version = await registerModel(bench, "late-by-columns", {
    record: {
      training: { versionId: training.id, asset: "training_set", kind: "data", version: 1, digest: training.digest },
    },
    inputs: [{ versionId: training.id, role: "input" }],
  });
  await serving.target.deploy(
    { deploymentId: "d", ...KEY, version, actor: "ana", ...(service === "" ? {} : { featureService: service }) },
    { signal: new AbortController().signal, log: () => {} },
  );
  const outbox = createOutbox({ store, log: silentLog, clock: systemClock, privateNetworks: [] });
  after(() => outbox.close());
  const monitoring = createMonitoring({
    outbox,
    store,
    predictions: await openTestPredictions(store),
    datasets: createRowReader(
      makeFlights(400, { seed: 1 }).map((flight, row) => ({ ...flight, split: row < 300 ? "train" : "test" })),
    ),
    offline: features,
    scorer: serving.scorer,
    log: silentLog,
  });
  await monitoring.saveMonitors("p", FILE(rule));
  return {
    ...bench,
    monitoring,
    async ask(day, rows) {
      await serving.endpoints.predict(KEY, {
        source: sourceOfRecords(rows),
        atMs: rows.map((_, row) => NOON_MS + day * DAY_MS + row * 1000),
      });
    },
    judge: (day) => monitoring.evaluate({ ...KEY, untilMs: NOON_MS + day * DAY_MS + DAY_MS / 2 }),
    async scores(day) {
      const windows = await store.read((transaction) => listWindows(transaction, { ...KEY, size: "day" }));
      const startMs = NOON_MS + day * DAY_MS - DAY_MS / 2;
      return (windows.find((window) => window.startMs === startMs)?.scores ?? [])
        .filter(({ metric }) => metric === "feature_skew")
        .map(({ subject, value, n, method }) => ({ subject, value, n, method }))
        .toSorted((left, right) => left.subject.localeCompare(right.subject));
    },
  };
}

/** Writes what no source has. */
async function spoil({ store }: FeatureBench, view: string, entityKey: string, payload: string): Promise<void> {
  await store.write(async (transaction) => {
    const states = await listFeatureViewStates(transaction, "p");
    const generation = states.find((state) => state.view === view)?.generation ?? 0;
    await putOnlineFeatures(transaction, { project: "p", view, generation }, [
      {
        entityKey,
        eventUs: Date.parse("2026-01-01T11:00:00Z") * 1000,
        createdUs: null,
        payload,
      },
    ]);
  });
}

const many = (row: object, count = 10): object[] => Array.from({ length: count }, () => ({ origin: "ORD", ...row }));

it("takes a rule without limits, and refuses what is none", () => {
  const read = (rule: string): ReturnType<typeof readMonitorDeclarations> => readMonitorDeclarations(FILE(rule));
  assert.deepEqual(read("{}").problems, []);
  assert.match(read("{ share: 2 }").problems[0]?.message ?? "", /share/);
  assert.match(read("{ sample: 0 }").problems[0]?.message ?? "", /sample/);
});

it("takes for equal what gives a model the same", () => {
  const exact = { type: "integer", isSingle: false } as const;
  assert.equal(isEqual(9007199254740993n, 9007199254740993n, exact), true);
  assert.equal(isEqual(9007199254740993n, 9007199254740992n, exact), false);
  assert.equal(isEqual(9007199254740992n, 9007199254740991, exact), false);
  assert.equal(isEqual(9007199254740992, 9007199254740993n, { type: "float", isSingle: false }), true);
  assert.equal(isEqual(NaN, null, exact), true);
  assert.equal(isEqual(0, null, exact), false);
  assert.equal(isEqual(0.1, Math.fround(0.1), { type: "float", isSingle: false }), false);
  assert.equal(isEqual(0.1, Math.fround(0.1), { type: "float", isSingle: true }), true);
  assert.equal(isEqual("1", "1 ", { type: "string", isSingle: false }), false);
  assert.equal(isEqual(true, 1, { type: "boolean", isSingle: false }), true);
  assert.deepEqual([textOf(Math.fround(0.1), true), textOf(9007199254740993n, false)], ["0.1", "9007199254740993"]);
});

describeStores("online features against the offline join", (kind) => {
  it("find a wrong online value, naming feature, entity and both values, and nothing else", async () => {
    const test = await watch(kind);
    await test.ask(0, [
      ...many({ route: "a", plane: 1 }),
      // A stored null, NaN, a key as a text, and values that the callers bring.
      ...many({ route: "b", plane: "1" }, 2),
      ...many({ route: "c", plane: 2 }, 1),
      ...many({ route: "a", plane: 1, distance: 77 }, 4),
    ]);
    assert.deepEqual((await test.judge(0)).opened, []);
    assert.deepEqual(await test.scores(0), [
      { subject: "distance", value: 0, n: 13, method: {} },
      { subject: "hour", value: 0, n: 17, method: {} },
    ]);
    await spoil(test, "routes", '["a"]', '{"distance":5}');
    await test.ask(1, [
      ...many({ route: "a", plane: 1 }, 1),
      ...many({ route: "b", plane: 1 }),
      ...many({ route: "a", plane: 1, distance: 6 }),
    ]);
    const { opened } = await test.judge(1);
    assert.deepEqual(
      opened.map(({ metric, subject, value, threshold, n }) => [metric, subject, value, threshold, n]),
      [["feature_skew", "distance", 1 / 11, 0, 11]],
    );
    assert.equal(
      opened[0]?.message,
      'feature "distance": in 1 of 11 compared rows the online value is not what the offline join gives, allowed are 0 %; route=a at 2026-01-02T12:00:00.000Z: online 5, offline 0.1',
    );
    const { advice, since } = JSON.parse(opened[0]?.explanation ?? "{}");
    assert.deepEqual(advice, [{ kind: "look_at_online", name: "distance" }]);
    assert.equal(since.lastGoodValue, 0);
    await spoil(test, "planes", '["2"]', '{"hour":21}');
    await test.ask(2, many({ route: "b", plane: 2 }));
    const { opened: next, closed } = await test.judge(2);
    assert.deepEqual([next.map(({ subject, value }) => [subject, value]), closed], [[["hour", 1]], 1]);
    assert.match(next[0]?.message ?? "", /plane=2 at .*: online 21, offline 22$/);
  });

  it("compare with the version that was online: what comes online later is late, not wrong", async () => {
    const test = await watch(kind);
    await test.ask(0, many({ route: "a", plane: 1 }));
    // Known offline before the rows' time, online only after they were answered.
    await test.make(
      "routes",
      `select 'a' as route, timestamptz '2026-01-01 11:30:00Z' as at, 9::float as distance`,
      "append",
    );
    await test.ask(0, many({ route: "a", plane: 1 }));
    await test.features.catchUp();
    await test.ask(0, many({ route: "a", plane: 1 }));
    await test.judge(0);
    const [distance] = await test.scores(0);
    assert.deepEqual([distance?.value, distance?.n], [0, 30]);
    // Another definition of the view: what was answered under the earlier one is left out, and it says so.
    await test.define(DEFINITIONS.replace("timestamp: at, features", "timestamp: at, available_after: 1m, features"));
    await test.features.reload();
    await test.ask(1, many({ route: "a", plane: 1 }));
    await test.features.catchUp();
    await test.ask(1, many({ route: "a", plane: 1 }));
    await test.judge(1);
    const [redefined] = await test.scores(1);
    assert.deepEqual(redefined, {
      subject: "distance",
      value: 0,
      n: 10,
      method: { unknown: 10, reason: "the rows were answered under another definition of the feature view" },
    });
  });

  it("compare a sample, take a share, and say of endpoints without features that there is nothing", async () => {
    const test = await watch(kind, { rule: "{ share: 0.5, sample: 8, columns: [hour] }" });
    await spoil(test, "routes", '["a"]', '{"distance":5}');
    await test.ask(0, many({ route: "a", plane: 1 }, 20));
    assert.deepEqual((await test.judge(0)).opened, [], "distance is not watched");
    const [distance] = await test.scores(0);
    assert.deepEqual([distance?.value, distance?.n], [1, 8]);
    assert.equal(new Map(Object.entries(distance?.method ?? {})).get("sampledOf"), 20);
    const plain = await watch(kind, { service: "" });
    await plain.ask(0, many({ distance: 1, hour: 2 }));
    assert.deepEqual((await plain.judge(0)).opened, []);
    assert.deepEqual(await plain.scores(0), [
      { subject: "", value: undefined, n: 0, method: { reason: "the endpoint has no feature service" } },
    ]);
  });
});
