// Models whose outputs have any shape and type: by every protocol, in the log, for datasets and files.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { isEsteiraError, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, quoteText } from "#data";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import { getPrediction } from "#metadata-store/serving";
import type { AttemptContext, StepOutcome } from "#pipeline";
import { createScoreKind, type ScoreDeclaration, scoreTable } from "#serving";
import { createFileSystemFiles } from "#storage";
import { temporaryFolder } from "../setup/stores.ts";
import { createScoredOutputs } from "../../src/serving/scored-outputs.ts";
import { deploy, listen, registerModel, startServing, type TestServing } from "./served.ts";

interface Case {
  readonly rows: readonly Readonly<Record<string, number>>[];
  readonly predicted: Readonly<Record<string, readonly unknown[]>>;
}

const readCase = async (name: string): Promise<Case> =>
  JSON.parse(await readFile(join(import.meta.dirname, "models", `${name}.json`), "utf8")) as Case;

async function served(model = "every-shape"): Promise<TestServing & { readonly url: string }> {
  const test = await startServing("sqlite");
  await deploy(test.serving, await registerModel(test, model));
  return { ...test, url: `${await listen(test.serving)}/endpoints/production/delay` };
}

/** Whole numbers beyond 2^53 as they are written. */
const exact = (text: string): unknown =>
  JSON.parse(text, (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && Number.isInteger(value) ? context?.source : value,
  );

async function post(url: string, body: unknown): Promise<{ readonly status: number; readonly json: never }> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: exact(await response.text()) as never };
}

interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
  readonly parameters: { readonly binary_data_size: number };
}

const matrixOf = (rows: Case["rows"]): object => ({
  name: "rows",
  datatype: "FP64",
  shape: [rows.length, 2],
  data: rows.flatMap(({ distance, hour }) => [distance, hour]),
});

const flat = (values: readonly unknown[]): readonly unknown[] => values.flat(10);
const FORMS: readonly (readonly [string, string, readonly number[]])[] = [
  ["score", "FP32", []],
  ["column", "FP32", [1]],
  ["embedding", "FP32", [3]],
  ["grid", "FP64", [2, 2]],
  ["key", "INT64", []],
  ["part", "BYTES", []],
  ["is_late", "BOOL", []],
  ["half", "FP32", [3]],
];

describe("a graph with outputs of every shape", () => {
  it("answers Open Inference with each tensor as the graph gives it, exactly, in JSON and in bytes", async () => {
    const { url } = await served();
    const { rows, predicted } = await readCase("every-shape");
    const { status, json } = await post(`${url}/v2/models/delay/infer`, { inputs: [matrixOf(rows)] });
    assert.equal(status, 200, JSON.stringify(json));
    const { outputs } = json as { readonly outputs: readonly Tensor[] };
    assert.deepEqual(
      outputs.map(({ name, datatype, shape }) => [name, datatype, shape]),
      FORMS.map(([name, datatype, shape]) => [name, datatype, [rows.length, ...shape]]),
    );
    for (const { name, data } of outputs) assert.deepEqual(data, flat(predicted[name] ?? []), name);

    const response = await fetch(`${url}/v2/models/delay/infer`, {
      method: "POST",
      body: JSON.stringify({
        inputs: [matrixOf(rows)],
        parameters: { binary_data_output: true },
        outputs: ["key", "grid", "part", "is_late", "embedding"].map((name) => ({ name })),
      }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const head = Number(response.headers.get("inference-header-content-length"));
    const written = JSON.parse(bytes.subarray(0, head).toString("utf8")) as { readonly outputs: readonly Tensor[] };
    let at = head;
    const parts = Object.fromEntries(
      written.outputs.map(({ name, parameters }) => {
        const part = Buffer.from(bytes.subarray(at, (at += parameters.binary_data_size)));
        return [name, part];
      }),
    );
    assert.equal(at, bytes.byteLength);
    const keys = rows.map((_, row) => String(parts["key"]?.readBigInt64LE(row * 8)));
    assert.deepEqual(keys, predicted["key"]);
    assert.equal(parts["grid"]?.readDoubleLE(8), flat(predicted["grid"] ?? [])[1]);
    assert.equal(parts["embedding"]?.readFloatLE(4 * 5), flat(predicted["embedding"] ?? [])[5]);
    assert.deepEqual([...(parts["is_late"] ?? [])], predicted["is_late"]?.map(Number));
    assert.equal(parts["part"]?.subarray(4, 11).toString(), "morning");
  });

  it("answers rows, invocations and KServe 1 with each row's outputs, nested as their shapes are", async () => {
    const { url } = await served();
    const { rows, predicted } = await readCase("every-shape");
    const expected = rows.map((_, row) =>
      Object.fromEntries(Object.entries(predicted).map(([name, values]) => [name, values[row]])),
    );
    const asked = await post(`${url}/predict`, { rows: rows.map((features) => ({ features })) });
    const { predictions } = asked.json as { readonly predictions: readonly { readonly outputs: unknown }[] };
    assert.deepEqual(
      predictions.map(({ outputs }) => outputs),
      expected,
    );
    const invoked = await post(`${url}/invocations`, { dataframe_records: rows });
    assert.deepEqual((invoked.json as { readonly predictions: unknown }).predictions, expected);
    const instances = await post(`${url}/v1/models/delay:predict`, { instances: rows });
    assert.deepEqual((instances.json as { readonly predictions: unknown }).predictions, expected);
  });

  it("says its outputs with their types and shapes in its metadata, its configuration and its OpenAPI document", async () => {
    const { url } = await served();
    const metadata = (await (await fetch(`${url}/v2/models/delay`)).json()) as { readonly outputs: readonly Tensor[] };
    assert.deepEqual(
      metadata.outputs.map(({ name, datatype, shape }) => [name, datatype, shape]),
      FORMS.map(([name, datatype, shape]) => [name, datatype, [-1, ...shape]]),
    );
    const config = (await (await fetch(`${url}/v2/models/delay/config`)).json()) as {
      readonly output: readonly { readonly data_type: string }[];
    };
    assert.deepEqual(
      [...new Set(config.output.map(({ data_type }) => data_type))],
      ["TYPE_FP32", "TYPE_FP64", "TYPE_INT64", "TYPE_STRING", "TYPE_BOOL"],
    );
    const calls = (await (await fetch(`${url}/openapi.json`)).json()) as {
      readonly info: { readonly description: string };
      readonly paths: Readonly<Record<string, { readonly post?: { readonly requestBody: unknown } }>>;
    };
    assert.match(calls.info.description, /score FP32 \[N\], .*grid FP64 \[N, 2, 2\]/);
    assert.match(JSON.stringify(calls.paths), /"example":\{"rows":\[\{/);
  });

  it("logs each row's outputs as JSON, one number as a number, and what is too long by its digest", async () => {
    const { url, store } = await served();
    const { rows, predicted } = await readCase("every-shape");
    const asked = await post(`${url}/predict`, { rows: rows.map((features) => ({ features })) });
    const { predictions } = asked.json as { readonly predictions: readonly { readonly id: string }[] };
    const logged = await store.read((transaction) => getPrediction(transaction, predictions[0]?.id ?? ""));
    assert.equal(logged?.prediction, undefined);
    const text = exact(logged?.predictionText ?? "") as Record<string, unknown>;
    for (const [name, values] of Object.entries(predicted)) assert.deepEqual(text[name], values[0], name);
  });

  it("gives each of many requests at once its own rows, however they were merged", async () => {
    const { url } = await served();
    const all = await Promise.all(
      Array.from({ length: 40 }, async (_, client) => {
        const rows = Array.from({ length: (client % 5) + 1 }, (_each, row) => ({
          distance: client * 10 + row,
          hour: 1,
        }));
        const { json } = await post(`${url}/v1/models/delay:predict`, { instances: rows });
        const { predictions } = json as { readonly predictions: readonly { readonly grid: unknown }[] };
        return { rows, grids: predictions.map(({ grid }) => grid) };
      }),
    );
    for (const { rows, grids } of all)
      assert.deepEqual(
        grids,
        rows.map(({ distance }) => [
          [distance, 1],
          [distance, 1],
        ]),
      );
  });

  it("is refused where it answers once for all rows", async () => {
    const test = await startServing("sqlite");
    const version = await registerModel(test, "whole-batch");
    await assert.rejects(deploy(test.serving, version), (error) => {
      assert.ok(isEsteiraError(error, "SERVING_EXAMPLE_FAILED"));
      return /output "total" has the shape \[\] for 1 rows, expected \[N\]/.test(error.message);
    });
  });

  it("answers for a candidate with other outputs, which counts as a failure of the candidate", async () => {
    const test = await startServing("sqlite");
    await deploy(test.serving, await registerModel(test, "every-shape"));
    const strategy = { canary: ["50%"], watch: "1h" };
    await deploy(test.serving, await registerModel(test, "several-targets"), { strategy });
    const url = `${await listen(test.serving)}/endpoints/production/delay`;
    const rows = Array.from({ length: 60 }, (_, row) => ({ id: `k${row}`, features: { distance: row, hour: 1 } }));
    const { status, json } = await post(`${url}/predict`, { rows });
    assert.equal(status, 200, JSON.stringify(json));
    const { predictions } = json as {
      readonly predictions: readonly { readonly outputs: { readonly score: number } }[];
    };
    assert.deepEqual(
      predictions.map(({ outputs }) => outputs.score),
      rows.map((_, row) => row + 1),
    );
    assert.equal(test.serving.endpoints.counters.candidateFailed, 1);
  });
});

describe("a model of several targets", () => {
  it("answers scikit-learn's own numbers, each row a list", async () => {
    const { url } = await served("several-targets");
    const { rows, predicted } = await readCase("several-targets");
    const expected = predicted as unknown as readonly (readonly number[])[];
    const { json } = await post(`${url}/v1/models/delay:predict`, { instances: rows });
    const { predictions } = json as { readonly predictions: readonly (readonly number[])[] };
    for (const [row, values] of expected.entries())
      for (const [target, value] of values.entries())
        assert.ok(Math.abs((predictions[row]?.[target] ?? NaN) - value) < 1e-2, `${row} ${target}`);
    const lacking = await post(`${url}/v1/models/delay:predict`, { instances: [{ distance: null, hour: 1 }] });
    assert.deepEqual((lacking.json as { readonly predictions: unknown }).predictions, [[null, null, null]]);
  });
});

async function openData() {
  const test = await startServing("sqlite");
  const folder = await temporaryFolder();
  const analytics = createAnalytics({ folder: join(folder, "cache") });
  after(() => analytics.close());
  const files = createFileSystemFiles({ root: join(folder, "datasets") });
  const datasets = createDatasets({ ...test, files, analytics, clock: systemClock, log: silentLog });
  const connection = await analytics.connect();
  after(() => connection.close());
  return { ...test, folder, analytics, datasets, connection };
}

describe("outputs of any shape for many rows", () => {
  it("become columns of a table: one of each output, lists where there is more than a value", async () => {
    const { folder, analytics, datasets, serving, connection, ...test } = await openData();
    const model = await registerModel(test, "every-shape");
    const { rows, predicted } = await readCase("every-shape");
    const file = join(folder, "rows.csv");
    await writeFile(
      file,
      `id,distance,hour\n${rows.map((row, i) => `${i},${row["distance"]},${row["hour"]}`).join("\n")}\n`,
    );
    const out = join(folder, "out.parquet");
    const parts = { analytics, datasets, scorer: serving.scorer };
    const scored = await scoreTable({ model, data: { file }, keys: ["id"], out }, parts);
    const names = FORMS.map(([name]) => `prediction_${name}`);
    assert.deepEqual(scored.columns, ["id", ...names, "model", "model_version"]);
    const types = await connection.describe(`select * from read_parquet(${quoteText(out)})`);
    assert.deepEqual(
      types.slice(1, -2).map(({ type }) => type),
      ["FLOAT", "FLOAT[]", "FLOAT[]", "DOUBLE[][]", "BIGINT", "VARCHAR", "BOOLEAN", "FLOAT[]"],
    );
    const texts = names.map((name) => `to_json(${name})::varchar as ${name}`).join(", ");
    const found = await connection.rows(`select ${texts} from read_parquet(${quoteText(out)})`);
    for (const [row, values] of found.entries())
      for (const [name] of FORMS)
        assert.deepEqual(exact(z.string().parse(values[`prediction_${name}`])), predicted[name]?.[row], name);
    const printed: unknown[] = [];
    await scoreTable({ model, data: { file }, keys: [], print: (part) => printed.push(...part.rows) }, parts);
    assert.equal(printed.length, rows.length);
    await assert.rejects(scoreTable({ model, data: { file }, keys: ["prediction_x"], out }, parts), (error) =>
      isEsteiraError(error, "SERVING_SCORE_COLUMN_MISSING"),
    );
  });

  it("become lists of their own types, exactly: whole numbers beyond 2^53, truth values, what is missing, none", async () => {
    const { connection } = await openData();
    const outputs = createScoredOutputs(connection, "scored");
    await outputs.append(
      [
        { name: "key", datatype: "INT64", shape: [2], values: BigInt64Array.of(9007199254740993n, -1n, 2n, 3n) },
        { name: "flag", datatype: "BOOL", shape: [2], values: Uint8Array.of(1, 0, 0, 1) },
        { name: "wide", datatype: "FP64", shape: [2], values: Float64Array.of(0.1, NaN, Infinity, 1e300) },
        { name: "none", datatype: "FP32", shape: [0], values: new Float32Array() },
        { name: "deep", datatype: "FP32", shape: [1, 2], values: Float32Array.of(1, 2, 3, NaN) },
        { name: "text", datatype: "BYTES", shape: [1], values: ["ção", '"'] },
        { name: "whole", datatype: "INT64", shape: [], values: BigInt64Array.of(9007199254740993n, 0n) },
        { name: "half", datatype: "FP32", shape: [], values: Float32Array.of(0.5, NaN) },
      ],
      2,
    );
    const names = await outputs.finish();
    const types = await connection.describe("select * from scored");
    assert.deepEqual(
      types.map(({ type }) => type),
      ["BIGINT[]", "BOOLEAN[]", "DOUBLE[]", "FLOAT[]", "FLOAT[][]", "VARCHAR[]", "BIGINT", "FLOAT"],
    );
    const texts = names.map((name) => `to_json(${name})::varchar`).join(", ");
    const found = await connection.rows(`select concat_ws(' ', ${texts}) as row from scored`);
    assert.deepEqual(
      found.map(({ row }) => row),
      [
        '[9007199254740993,-1] [true,false] [0.1,null] [] [[1.0,2.0]] ["ção"] 9007199254740993 0.5',
        '[2,3] [false,true] [null,1e300] [] [[3.0,null]] ["\\""] 0',
      ],
    );
  });

  it("become a dataset, computed only for rows that are new or changed, and of another version with other columns", async () => {
    const world = await openData();
    const { analytics, datasets, serving, store, connection } = world;
    const step = createScoreKind({ store, analytics, datasets, scorer: serving.scorer });
    let operations = 0;
    const record = (made: object): Promise<AssetVersion> =>
      store.write(async (transaction) => {
        const all = { ...made, project: "p", madeAtMs: 1000, actor: "ana", inputs: [] };
        return (await recordAssetVersion(transaction, all as unknown as Parameters<typeof recordAssetVersion>[1]))
          .version;
      });
    const write = async (select: string): Promise<AssetVersion> =>
      record(
        await datasets.write({
          project: "p",
          asset: "flights",
          operationId: `w${++operations}`,
          disposition: "replace",
          select,
        }),
      );
    const score = async (
      model: AssetVersion,
      rows: AssetVersion,
    ): Promise<{ facts: unknown; version: AssetVersion }> => {
      const outcome: StepOutcome = await step.execute({
        declaration: { score: "delay", data: "flights", key: "id" },
        inputs: new Map([
          ["delay", model],
          ["flights", rows],
        ]),
        project: "p",
        step: "scored",
        stepRunId: `s${++operations}`,
        pipelineRunId: "r",
        signal: new AbortController().signal,
        log: () => {},
        progress: () => {},
      } as Partial<AttemptContext<ScoreDeclaration>> as AttemptContext<ScoreDeclaration>);
      assert.equal(outcome.status, "succeeded");
      const [made] = outcome.made;
      assert.ok(made);
      return { facts: outcome.facts, version: await record(made) };
    };
    const model = await registerModel(world, "every-shape");
    const flights = "select i::bigint as id, i::double as distance, (i % 3)::double as hour from range(0, 100) t(i)";
    const first = await score(model, await write(flights));
    const relation = await datasets.relation(first.version);
    const [row] = await connection.rows(
      `select prediction_grid[2][1]::double as grid, prediction_key::varchar as key, prediction_part as part from ${relation} where id = 7`,
    );
    assert.deepEqual(row, { grid: 7, key: "9007199254740994", part: "tarde ☀" });
    const again = await score(model, await write(`${flights} where i <> 3 union all select 500, 1, 1`));
    assert.deepEqual(again.facts, { rows: 100, predicted: 1, kept: 99, modelVersion: model.version });
    const same = await score(model, await write(`${flights} where i > 50`));
    assert.deepEqual(same.facts, { rows: 49, predicted: 0, kept: 49, modelVersion: model.version });
    const none = await score(model, await write(`${flights} where false`));
    assert.deepEqual(none.facts, { rows: 0, predicted: 0, kept: 0, modelVersion: model.version });
    const other = await registerModel(world, "several-targets");
    const changed = await score(other, await write(`${flights} where i < 5`));
    const columns = (await datasets.snapshot(changed.version)).columns.map(({ name, type }) => `${name} ${type}`);
    assert.deepEqual(columns.slice(0, 2), ["id BIGINT", "prediction FLOAT[]"]);
  });
});
