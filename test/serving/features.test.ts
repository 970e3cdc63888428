// Endpoints with a feature service, over the real online store: what callers must and may send, and what becomes of
// what is missing.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createMetrics, silentLog, type Metrics } from "#base";
import type { StoreKind } from "#metadata-store";
import { listPredictions } from "#metadata-store/serving";
import { createServing, type Serving, type ServingOptions } from "#serving";
import { openFeatureBench } from "../features/feature-bench.ts";
import { describeStores } from "../setup/stores.ts";
import { listen, registerModel } from "./served.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };
const T0 = Date.parse("2026-01-01T12:00:00Z");
const HOUR_MS = 3_600_000;
const at = (ms: number): string => new Date(ms).toISOString();

const definitions = (policy = ""): string => `entities:
  route: { keys: [route] }
  plane: { keys: [plane] }
views:
  routes: { source: routes, entities: [route], timestamp: at, ttl: 2h, features: [distance] }
  planes: { source: planes, entities: [plane], timestamp: at, ttl: 2h, features: [hour, seats] }
services:
  svc: { features: [routes, planes]${policy} }
`;

interface Served {
  readonly url: string;
  readonly serving: Serving;
  readonly metrics: Metrics;
  readonly store: Awaited<ReturnType<typeof openFeatureBench>>["store"];
}

async function serve(
  kind: StoreKind,
  options: { readonly policy?: string; readonly yaml?: string; readonly serving?: Partial<ServingOptions> } = {},
): Promise<Served> {
  const bench = await openFeatureBench(kind);
  await bench.define(options.yaml ?? definitions(options.policy));
  await bench.make(
    "routes",
    `select 'a' as route, timestamptz '2026-01-01 11:00:00Z' as at, 2367.0 as distance union all select 'stale', timestamptz '2026-01-01 08:00:00Z', 100.0`,
  );
  await bench.make("planes", `select 1 as plane, timestamptz '2026-01-01 11:00:00Z' as at, 23 as hour, 180 as seats`);
  await bench.features.catchUp();
  const metrics = createMetrics();
  const serving = createServing({
    store: bench.store,
    objects: bench.objects,
    log: silentLog,
    features: bench.features,
    metrics,
    ...options.serving,
  });
  after(() => serving.close());
  const version = await registerModel(bench, "late-by-columns");
  await serving.target.deploy(
    {
      deploymentId: "d",
      project: "p",
      environment: "production",
      endpoint: "delay",
      version,
      actor: "ana",
      featureService: "svc",
    },
    { signal: new AbortController().signal, log: () => {} },
  );
  return { url: `${await listen(serving)}/endpoints/production/delay`, serving, metrics, store: bench.store };
}

// oxlint-disable-next-line no-explicit-any -- answers are looked into by path, as a client does
type Answer = { readonly status: number; readonly body: any; readonly header: string | null };

async function post(url: string, body: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json(), header: response.headers.get("x-esteira-features") };
}

const row = (features: object, ms = T0): object => ({ at: at(ms), features });
const KNOWN = { origin: "ORD", route: "a", plane: 1 };

describeStores("an endpoint with a feature service", (kind) => {
  it("says how many features were present, and refuses a row that lacks them all, naming its keys", async () => {
    const { url, store } = await serve(kind);
    const good = await post(`${url}/predict`, { rows: [row(KNOWN)] });
    assert.deepEqual(
      [good.status, good.header, good.body.features],
      [200, "2/2 present", { present: 2, wanted: 2, missing: [], stale: [], null: [], default: [] }],
    );
    for (const [keys, says] of [
      [{ ...KNOWN, route: "ZZZ", plane: 9 }, /distance \(not found\), hour \(not found\) for route="ZZZ", plane=9/],
      [{ ...KNOWN, route: "stale", plane: 9 }, /distance \(too old\)/],
    ] as const) {
      const refused = await post(`${url}/predict`, { rows: [row(keys)] });
      assert.equal(refused.status, 422);
      assert.equal(refused.body.error.code, "SERVING_FEATURES_MISSING");
      assert.match(refused.body.error.message, says);
    }
    assert.equal((await store.read((transaction) => listPredictions(transaction, KEY))).length, 1);
  });

  it("gives null for a single missing feature, tells it in every protocol, logs its status and counts it", async () => {
    const { url, store, metrics } = await serve(kind);
    const known = await post(`${url}/predict`, { rows: [row({ ...KNOWN, route: "stale" }), row(KNOWN)] });
    assert.deepEqual(
      [known.status, known.header, known.body.features.stale],
      [200, "3/4 present", ["distance"]],
      JSON.stringify(known.body),
    );
    assert.deepEqual(
      known.body.predictions.map(({ features }: { features?: object }) => features),
      [{ distance: "OUTSIDE_MAX_AGE" }, undefined],
    );
    const mlflow = await post(`${url}/invocations`, { dataframe_records: [{ ...KNOWN, route: "none" }], at: at(T0) });
    assert.deepEqual([mlflow.status, mlflow.header, mlflow.body.features.missing], [200, "1/2 present", ["distance"]]);
    const inputs = (["origin", "route", "plane"] as const).map((name) => ({
      name,
      datatype: "BYTES",
      shape: [1],
      data: [name === "route" ? "none" : String(KNOWN[name])],
    }));
    const tensors = await post(`${url}/v2/models/delay/infer`, { inputs, parameters: { at: at(T0) } });
    assert.deepEqual(
      [tensors.status, tensors.body.parameters?.features, tensors.body.parameters?.features_missing],
      [200, "1/2 present", "distance"],
      JSON.stringify(tensors.body),
    );
    const logged = await store.read((transaction) => listPredictions(transaction, KEY));
    assert.deepEqual(
      logged
        .map(({ featureStatus }) => featureStatus)
        .toSorted((left, right) => String(left).localeCompare(String(right))),
      ['{"distance":"NOT_FOUND"}', '{"distance":"NOT_FOUND"}', '{"distance":"OUTSIDE_MAX_AGE"}', "{}"],
    );
    const text = await metrics.write();
    assert.match(
      text,
      /esteira_feature_values_total\{environment="production",endpoint="delay",feature="distance",status="missing"\} 2/,
    );
    assert.match(text, /feature="distance",status="stale"\} 1/);
    assert.match(
      text,
      /esteira_predictions_total\{environment="production",endpoint="delay",arm="stable",model_version="1",outcome="answered"\} 4/,
    );
  });

  it("judges how old a value is by each row's own time, and lets what the caller sends win, null too", async () => {
    const { url, store } = await serve(kind);
    const batch = await post(`${url}/predict`, {
      rows: [row({ ...KNOWN, route: "stale" }, T0 - 3 * HOUR_MS), row(KNOWN)].map((each, index) =>
        index === 0 ? { ...each, features: { origin: "ORD", route: "stale", plane: 1, hour: 5 } } : each,
      ),
    });
    assert.deepEqual([batch.status, batch.header], [200, "4/4 present"], JSON.stringify(batch.body));
    const own = await post(`${url}/predict`, { rows: [row({ ...KNOWN, distance: null })] });
    assert.equal(own.status, 200);
    const [newest] = await store
      .read((transaction) => listPredictions(transaction, { ...KEY, fromMs: T0 }))
      .then((found) => found.toSorted((left, right) => right.id.localeCompare(left.id)));
    assert.equal(JSON.parse(newest?.features ?? "{}").distance, null);
    assert.equal(newest?.featureStatus, '{"distance":"CALLER"}');
    const alone = await post(`${url}/predict`, { rows: [row({ origin: "ORD", distance: 1, hour: 2 })] });
    assert.equal(alone.status, 200, "with every feature sent, no key is needed");
  });

  it("refuses misspelt columns beside the service's own, with the nearest name", async () => {
    const { url } = await serve(kind);
    for (const [name, nearest] of [
      ["distnce", "distance"],
      ["rout", "route"],
      ["foo", undefined],
    ] as const) {
      const refused = await post(`${url}/predict`, { rows: [row({ ...KNOWN, [name]: 1 })] });
      assert.deepEqual([refused.status, refused.body.error.code], [400, "SERVING_COLUMN_UNKNOWN"], name);
      if (nearest !== undefined) assert.match(refused.body.error.hint, new RegExp(`"${nearest}"`));
    }
    assert.equal(
      (await post(`${url}/predict`, { rows: [row({ ...KNOWN, seats: 4 })] })).status,
      200,
      "a feature that the model does not read",
    );
  });

  it("describes requests so that one built from the description alone is answered, and its example is", async () => {
    const { url, serving } = await serve(kind);
    const { inputs } = (await (await fetch(`${url}/v2/models/delay`)).json()) as {
      inputs: { name: string; datatype: string; parameters: { required: boolean; role: string } }[];
    };
    assert.deepEqual(
      inputs.map(({ name, parameters }) => [name, parameters.required, parameters.role]),
      [
        ["route", true, "join key"],
        ["plane", true, "join key"],
        ["origin", true, "input"],
        ["distance", false, "feature"],
        ["hour", false, "feature"],
      ],
    );
    const values: Readonly<Record<string, unknown>> = { BYTES: "a", FP64: 1.5, INT64: 2, BOOL: true };
    const all = await post(`${url}/v2/models/delay/infer`, {
      inputs: inputs.map(({ name, datatype }) => ({ name, datatype, shape: [1], data: [values[datatype]] })),
    });
    assert.equal(all.status, 200, JSON.stringify(all.body));
    const example = await serving.endpoints.example(KEY);
    assert.deepEqual(Object.keys(example?.row ?? {}).toSorted(), ["origin", "plane", "route"]);
    const answered = await post(`${url}/invocations`, {
      dataframe_records: [example?.row],
      at: at(example?.atMs ?? 0),
    });
    assert.deepEqual([answered.status, answered.header], [200, "2/2 present"], JSON.stringify(answered.body));
  });

  it("does with a missing feature what its policy says: default, null, refuse", async () => {
    const yaml = definitions().replace(
      "features: [routes, planes]",
      "features: [{ view: routes, on_missing: default, default: 500 }, { view: planes, on_missing: refuse }]",
    );
    const { url, store } = await serve(kind, { yaml });
    const defaulted = await post(`${url}/predict`, { rows: [row({ ...KNOWN, route: "none" })] });
    assert.deepEqual(
      [defaulted.status, defaulted.body.features?.default],
      [200, ["distance"]],
      JSON.stringify(defaulted.body),
    );
    const [logged] = await store.read((transaction) => listPredictions(transaction, KEY));
    assert.deepEqual(
      [JSON.parse(logged?.features ?? "{}").distance, logged?.featureStatus],
      [500, '{"distance":"DEFAULT"}'],
    );
    assert.equal((await post(`${url}/predict`, { rows: [row({ ...KNOWN, plane: 9 })] })).status, 422);
    const lenient = await serve(kind, { policy: ", on_missing: null" });
    const nulls = await post(`${lenient.url}/predict`, { rows: [row({ origin: "ORD", route: "none", plane: 1 })] });
    assert.deepEqual([nulls.status, nulls.header], [200, "1/2 present"], JSON.stringify(nulls.body));
  });
});

describe("null in a request", () => {
  it("is taken for a column whose training data had nulls, and refused by name elsewhere", async () => {
    const nulls = new Set(["origin"]);
    const { url } = await serve("sqlite", { serving: { trainingNulls: async () => nulls } });
    const send = (features: object): ReturnType<typeof post> =>
      post(`${url}/predict`, { rows: [row({ origin: "ORD", distance: 1, hour: 2, ...features })] });
    assert.equal((await send({ origin: null })).status, 200);
    const refused = await send({ distance: null });
    assert.deepEqual([refused.status, refused.body.error.code], [400, "SERVING_NULL_REFUSED"]);
    assert.match(refused.body.error.message, /Column "distance", row 0, may not be null: training had none/);
    // A single missing feature is null only where training had some.
    assert.equal((await post(`${url}/predict`, { rows: [row({ ...KNOWN, route: "none" })] })).status, 422);
  });
});
