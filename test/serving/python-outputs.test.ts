// Python models that answer with tables, arrays, mappings, records and texts, behind an endpoint and for a dataset.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isEsteiraError, silentLog } from "#base";
import { createServing } from "#serving";
import { pythonModels } from "../setup/python-models.ts";
import { openTestStore } from "../setup/stores.ts";
import { publishModel, pythonServing } from "./python-served.ts";
import { deploy, listen } from "./served.ts";

const LARGE = "9007199254740993";

describe("a Python model of the task outputs", async () => {
  const stored = await openTestStore("sqlite");
  const { folder } = await pythonModels();
  const serving = createServing({ ...stored, log: silentLog, python: await pythonServing(stored.objects) });
  after(() => serving.close());
  const url = `${await listen(serving)}/endpoints/production/delay`;
  const publish = async (form: string): Promise<void> =>
    void (await deploy(serving, await publishModel(stored, join(folder, `outputs-${form}`))));
  const text = async (path: string, body: unknown): Promise<string> => {
    const response = await fetch(`${url}/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return `${response.status} ${await response.text()}`;
  };
  const ask = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const said = await text(path, body);
    assert.match(said, /^200 /, said);
    return JSON.parse(said.slice(4)) as Record<string, unknown>;
  };
  const rows = [
    { distance: 1, hour: 2 },
    { distance: 10.5, hour: 3 },
  ];

  const forms: readonly (readonly [string, readonly unknown[]])[] = [
    [
      "frame",
      [
        { low: 0, high: 2 },
        { low: 9.5, high: 11.5 },
      ],
    ],
    ["series", [1, 10.5]],
    [
      "matrix",
      [
        [1, 2, 3],
        [10.5, 21, 31.5],
      ],
    ],
    [
      "tuple",
      [
        { one: 1, two: 2 },
        { one: 10.5, two: 21 },
      ],
    ],
    [
      "records",
      [
        { name: "n1", value: 1 },
        { name: "n10.5", value: 10.5 },
      ],
    ],
    ["texts", ["about 1", "about 10.5"]],
  ];
  for (const [form, expected] of forms)
    it(`answers what its code gives: ${form}`, async () => {
      await publish(form);
      const { predictions } = await ask("invocations", { dataframe_records: rows });
      assert.deepEqual(predictions, expected);
    });

  it("answers a mapping of arrays with each type and shape, whole numbers exactly, by every protocol", async () => {
    await publish("mapping");
    const inputs = ["distance", "hour"].map((name) => ({
      name,
      datatype: "FP64",
      shape: [2],
      data: rows.map((row) => (name === "distance" ? row.distance : row.hour)),
    }));
    const said = await text("v2/models/delay/infer", { inputs });
    assert.match(said, new RegExp(`"data":\\[${LARGE},${LARGE}\\]`));
    const { outputs } = JSON.parse(said.slice(4)) as {
      readonly outputs: readonly { name: string; datatype: string; shape: number[]; data: unknown[] }[];
    };
    assert.deepEqual(
      outputs.map(({ name, datatype, shape }) => `${name} ${datatype} ${shape.join("x")}`),
      [
        "score FP64 2",
        "embedding FP64 2x4",
        "grid INT64 2x2x2",
        "label BYTES 2",
        "tags BYTES 2x2",
        "key INT64 2",
        "is_far BOOL 2",
        "maybe FP64 2",
        "when BYTES 2",
      ],
    );
    assert.deepEqual(outputs.find(({ name }) => name === "maybe")?.data, [1.5, null]);
    assert.deepEqual(outputs.find(({ name }) => name === "tags")?.data, ["a", "b ☀", "a", "b ☀"]);
    assert.match(String(outputs.find(({ name }) => name === "when")?.data[0]), /^2026-01-02T03:04:05/);
    const { predictions } = await ask("v1/models/delay:predict", { instances: rows });
    const [, second] = predictions as readonly Readonly<Record<string, unknown>>[];
    assert.deepEqual(second?.["grid"], [
      [0, 1],
      [2, 3],
    ]);
    assert.deepEqual([second?.["label"], second?.["is_far"]], ["São Paulo", true]);
    const metadata = (await (await fetch(`${url}/v2/models/delay`)).json()) as {
      readonly outputs: readonly { name: string; shape: readonly number[] }[];
    };
    assert.deepEqual(metadata.outputs[1], { name: "embedding", datatype: "FP64", shape: [-1, 4] });
  });

  it("answers times, dates and durations as texts of ISO 8601, to the nanosecond", async () => {
    await publish("times");
    const { predictions } = await ask("invocations", { dataframe_records: rows });
    const moment = "2026-01-02T03:04:05.123456789";
    const expected = {
      nanoseconds: moment,
      pairs: [moment, ""],
      seconds: "2026-01-02T03:04:05",
      day: "2026-01-02",
      zoned: `${moment}+00:00`,
      took: "P0DT1H0M0.000000001S",
    };
    assert.deepEqual(predictions, [
      { ...expected, objects: moment },
      { ...expected, objects: "" },
    ]);
  });

  it("says what is wrong with an answer that has no row for each row", async () => {
    const one = await publishModel(stored, join(folder, "outputs-nothing"));
    await assert.rejects(deploy(serving, one), (error) => isEsteiraError(error, "SERVING_EXAMPLE_FAILED"));
    await publish("ragged");
    assert.match(await text("invocations", { dataframe_records: rows }), /^500 .*lists of several lengths/);
    await publish("one");
    assert.match(await text("invocations", { dataframe_records: rows }), /^500 .*shape \[\] for 2 rows/);
  });
});
