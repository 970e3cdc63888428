import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { getPrediction } from "#metadata-store/serving";
import { deploy, listen, readCase, registerModel, startServing, type TestServing } from "./served.ts";

async function served(model = "late-by-columns"): Promise<TestServing & { readonly url: string }> {
  const test = await startServing("sqlite");
  await deploy(test.serving, await registerModel(test, model));
  return { ...test, url: `${await listen(test.serving)}/endpoints/production/delay` };
}

async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; json: Record<string, never> }> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return {
    status: response.status,
    headers: response.headers,
    json: JSON.parse(await response.text()) as Record<string, never>,
  };
}

function near(found: readonly number[], expected: readonly (number | string)[]): void {
  assert.equal(found.length, expected.length);
  found.forEach((value, row) => assert.ok(Math.abs(value - Number(expected[row])) < 1e-5));
}

describe("MLflow invocations", () => {
  it("answer the same for every form of the same rows", async () => {
    const { url } = await served();
    const { rows, predicted } = await readCase("late-by-columns");
    const columns = ["origin", "hour", "distance"];
    const data = rows.map((row) => columns.map((name) => row[name]));
    const inputs = Object.fromEntries(columns.map((name) => [name, rows.map((row) => row[name])]));
    for (const body of [
      { dataframe_records: rows },
      { dataframe_split: { columns, data, index: rows.map((_, row) => row) } },
      { instances: rows },
      { inputs },
      { inputs: rows },
      { instances: rows.map((row) => [row["distance"], row["hour"], row["origin"]]) },
    ]) {
      const answer = await post(`${url}/invocations`, body);
      assert.equal(answer.status, 200, JSON.stringify(answer.json));
      near(answer.json["predictions"] as unknown as number[], predicted);
      assert.equal(answer.headers.get("x-esteira-model-version"), "1");
    }
    const csv = [
      columns.join(","),
      ...data.map((cells) => cells.map((cell) => (typeof cell === "string" ? `"${cell}"` : String(cell))).join(",")),
    ].join("\r\n");
    near(
      (await post(`${url}/invocations`, csv, { "content-type": "text/csv; charset=utf-8" })).json[
        "predictions"
      ] as unknown as number[],
      predicted,
    );
  });

  it("keep the keys and event times that come beside the rows", async () => {
    const test = await served();
    const { rows } = await readCase("late-by-columns");
    const answer = await post(`${test.url}/invocations`, {
      dataframe_records: rows.slice(0, 2),
      ids: ["AA-1", 17],
      at: ["2001-04-01T10:00:00", 986_120_000_000],
    });
    const ids = answer.json["predictionIds"] as unknown as string[];
    const logged = await Promise.all(ids.map((id) => test.store.read((transaction) => getPrediction(transaction, id))));
    assert.deepEqual(
      logged.map((prediction) => [prediction?.entityKey, prediction?.atMs]),
      [
        ["AA-1", Date.UTC(2001, 3, 1, 10)],
        ["17", 986_120_000_000],
      ],
    );
  });

  it("drop columns that the model does not know, as MLflow does, but convert nothing silently", async () => {
    const { url } = await served();
    const row = { distance: 500, hour: 12, origin: "ATL" };
    assert.equal(
      (await post(`${url}/invocations`, { dataframe_records: [{ ...row, date: "2001-04-01" }] })).status,
      200,
    );
    const refused = await post(`${url}/invocations`, { dataframe_records: [row, { ...row, hour: 1.7 }] });
    assert.deepEqual([refused.status, refused.json["error_code"]], [400, "BAD_REQUEST"]);
    assert.match(String(refused.json["message"]), /Column "hour", row 1: found 1.7/);
  });

  it("refuse bodies of another form with the status that MLflow gives", async () => {
    const { url } = await served();
    const cases: readonly (readonly [unknown, Record<string, string>, number])[] = [
      ["[1]", {}, 400],
      ["{", {}, 400],
      [{}, {}, 400],
      [{ inputs: [], instances: [] }, {}, 400],
      [{ dataframe_split: { data: [[1]], dtype: 1 } }, {}, 400],
      [{ inputs: [] }, { "content-type": "text/plain" }, 415],
      [{ inputs: [] }, { "content-type": "application/json; charset=latin1" }, 415],
      ["a,b\n1", { "content-type": "text/csv" }, 400],
      ['a\n"1', { "content-type": "text/csv" }, 400],
    ];
    for (const [body, headers, status] of cases)
      assert.equal((await post(`${url}/invocations`, body, headers)).status, status, JSON.stringify(body));
    assert.equal((await post(url.replace("delay", "nothing") + "/invocations", { inputs: [] })).status, 404);
  });
});

describe("esteira's predict", () => {
  it("answers an id and a probability per row and refuses unknown columns", async () => {
    const { url } = await served();
    const { rows, predicted } = await readCase("late-by-columns");
    const answer = await post(`${url}/predict`, {
      rows: rows.map((features, row) => ({ id: `k${row}`, at: "2001-04-01", features })),
    });
    const predictions = answer.json["predictions"] as unknown as { id: string; probability: number }[];
    near(
      predictions.map((prediction) => prediction.probability),
      predicted,
    );
    assert.equal(new Set(predictions.map((prediction) => prediction.id)).size, rows.length);
    const refused = await post(`${url}/predict`, { rows: [{ features: { ...rows[0], orgin: "x" } }] });
    assert.equal(refused.status, 400);
    assert.match(JSON.stringify(refused.json), /SERVING_COLUMN_UNKNOWN/);
    assert.equal((await post(`${url}/predict`, { rows: [{ feature: rows[0] }] })).status, 400);
  });
});

describe("the Open Inference Protocol", () => {
  it("answers health and metadata", async () => {
    const { url } = await served();
    const get = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
    assert.deepEqual(await get("/v2/health/live"), { live: true });
    assert.deepEqual(await get("/v2/health/ready"), { ready: true, live: true });
    assert.deepEqual(await get("/v2/models/delay/ready"), { name: "delay", ready: true });
    const tensor = (name: string, datatype: string, parameters: object): object => ({
      name,
      datatype,
      shape: [-1],
      parameters: { required: true, role: "input", ...parameters },
    });
    const metadata = (await get("/v2/models/delay")) as { inputs: unknown; versions: unknown };
    assert.deepEqual(metadata.inputs, [
      tensor("distance", "FP64", { nullable: true, example: 500 }),
      tensor("hour", "INT64", { nullable: false, example: 12 }),
      tensor("origin", "BYTES", { nullable: false, example: "ATL" }),
    ]);
    assert.deepEqual(metadata.versions, ["1"]);
    assert.equal((await fetch(`${url}/v2/models/other`)).status, 404);
    assert.equal((await fetch(`${url}/v2/models/delay/versions/2`)).status, 404);
  });

  it("infers from one tensor per column and from a matrix", async () => {
    const { url } = await served();
    const { rows, predicted } = await readCase("late-by-columns");
    const tensor = (name: string, datatype: string, shape: number[]): object => ({
      name,
      datatype,
      shape,
      data: rows.map((row) => row[name]),
    });
    const body = {
      id: "7",
      inputs: [
        tensor("origin", "BYTES", [rows.length, 1]),
        tensor("hour", "INT64", [rows.length]),
        tensor("distance", "FP32", [rows.length]),
      ],
    };
    const answer = await post(`${url}/v2/models/delay/infer`, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.json));
    assert.deepEqual([answer.json["id"], answer.json["model_version"]], ["7", "1"]);
    const [output] = answer.json["outputs"] as unknown as { name: string; shape: number[]; data: number[] }[];
    assert.deepEqual([output?.name, output?.shape], ["probability", [rows.length]]);
    near(output?.data ?? [], predicted);

    const matrix = await served("late-by-matrix");
    const numbers = await readCase("late-by-matrix");
    const data = numbers.rows.map((row) => [row["distance"], row["hour"]]);
    const inferred = await post(`${matrix.url}/v2/models/delay/versions/1/infer`, {
      inputs: [{ name: "X", shape: [data.length, 2], datatype: "FP32", data }],
    });
    near((inferred.json["outputs"] as unknown as { data: number[] }[])[0]?.data ?? [], numbers.predicted);
  });

  it("reads and writes binary tensors", async () => {
    const { url } = await served();
    const { rows, predicted } = await readCase("late-by-columns");
    const texts = Buffer.concat(
      rows.flatMap((row) => [
        Buffer.from(Uint32Array.of(Buffer.byteLength(String(row["origin"]))).buffer),
        Buffer.from(String(row["origin"])),
      ]),
    );
    const parts = [
      {
        name: "distance",
        datatype: "FP32",
        bytes: Buffer.from(Float32Array.from(rows, (row) => Number(row["distance"])).buffer),
      },
      {
        name: "hour",
        datatype: "INT64",
        bytes: Buffer.from(BigInt64Array.from(rows, (row) => BigInt(Number(row["hour"]))).buffer),
      },
      { name: "origin", datatype: "BYTES", bytes: texts },
    ];
    const head = Buffer.from(
      JSON.stringify({
        parameters: { binary_data_output: true },
        inputs: parts.map(({ name, datatype, bytes }) => ({
          name,
          datatype,
          shape: [rows.length],
          parameters: { binary_data_size: bytes.length },
        })),
      }),
    );
    const send = (length: string): Promise<Response> =>
      fetch(`${url}/v2/models/delay/infer`, {
        method: "POST",
        headers: { "inference-header-content-length": length },
        body: Buffer.concat([head, ...parts.map(({ bytes }) => bytes)]),
      });
    const response = await send(String(head.length));
    assert.equal(response.status, 200);
    const body = Buffer.from(await response.arrayBuffer());
    const length = Number(response.headers.get("inference-header-content-length"));
    const values = new Float64Array(body.buffer.slice(body.byteOffset + length, body.byteOffset + body.length));
    near([...values], predicted);
    for (const wrong of ["-1", "x", "0", String(10 ** 9), String(head.length + 3)])
      assert.equal((await send(wrong)).status, 400, wrong);
  });

  it("gives models whole numbers beyond 2^53 as they are, from JSON and from bytes, and logs them so", async () => {
    const test = await served("whole-numbers");
    const infer = `${test.url}/v2/models/delay/infer`;
    const large = [2n ** 53n + 1n, 2n ** 63n - 1n, 17n, -(2n ** 63n)];
    const rests = [993, 807, 17, 192];
    const logged = async (ids: string): Promise<readonly (string | undefined)[]> =>
      Promise.all(
        ids
          .split(",")
          .map((id) =>
            test.store.read(
              async (transaction) =>
                /"large":(-?\d+)/.exec((await getPrediction(transaction, id))?.features ?? "")?.[1],
            ),
          ),
      );
    const bodyOf = (facts: string): string =>
      `{"inputs":[{"name":"large","shape":[4],"datatype":"INT64",${facts}},{"name":"small","shape":[4],"datatype":"INT32","data":[0,0,0,0]}]}`;
    interface Answer {
      readonly parameters: { readonly prediction_ids: string };
      readonly outputs: readonly { readonly data: readonly number[] }[];
    }
    const check = async (answer: Answer): Promise<void> => {
      assert.deepEqual(answer.outputs[0]?.data, rests);
      assert.deepEqual(await logged(answer.parameters.prediction_ids), large.map(String));
    };
    const said = await post(infer, bodyOf(`"data":[${large.join(",")}]`));
    assert.equal(said.status, 200, JSON.stringify(said.json));
    await check(said.json as unknown as Answer);
    const head = Buffer.from(bodyOf('"parameters":{"binary_data_size":32}'));
    const response = await fetch(infer, {
      method: "POST",
      headers: { "inference-header-content-length": String(head.length) },
      body: Buffer.concat([head, Buffer.from(BigInt64Array.from(large).buffer)]),
    });
    await check(JSON.parse(await response.text()) as Answer);
    const rows = await post(
      `${test.url}/predict`,
      `{"rows":[{"id":9007199254740995,"features":{"large":${large[0]},"small":-3}}]}`,
    );
    const [{ id, prediction } = { id: "", prediction: 0 }] = rows.json["predictions"] as unknown as {
      readonly id: string;
      readonly prediction: number;
    }[];
    assert.equal(prediction, 990);
    const entity = (await test.store.read((transaction) => getPrediction(transaction, id)))?.entityKey;
    assert.equal(entity, "9007199254740995");
    const tooLarge = await post(infer, bodyOf(`"data":[1,2,3,${2n ** 63n}]`));
    assert.equal(tooLarge.status, 400);
    assert.match(String(tooLarge.json["error"]), /to 9223372036854775807/);
    const narrow = await post(`${test.url}/predict`, { rows: [{ features: { large: 1, small: 2 ** 40 } }] });
    assert.equal(narrow.status, 422, JSON.stringify(narrow.json));
    assert.match(JSON.stringify(narrow.json), /1099511627776 does not fit/);
  });

  it("refuses whole numbers beyond 2^53 for a graph that computes with floats", async () => {
    const { url } = await served();
    const { status, json } = await post(
      `${url}/predict`,
      '{"rows":[{"features":{"distance":9007199254740993,"hour":9007199254740993,"origin":"ATL"}}]}',
    );
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), /hour.*9007199254740993.*between -2\^53 and 2\^53/);
  });

  it("takes BF16 in bytes", async () => {
    const { url } = await served("late-by-matrix");
    const head = JSON.stringify({
      inputs: [{ name: "X", shape: [1, 2], datatype: "BF16", parameters: { binary_data_size: 4 } }],
    });
    const ask = async (body: Buffer<ArrayBuffer>, headers: Record<string, string>): Promise<unknown> =>
      JSON.parse(await (await fetch(`${url}/v2/models/delay/infer`, { method: "POST", headers, body })).text());
    // 500 and -2.5, as the upper halves of 0x43FA0000 and 0xC0200000.
    const binary = await ask(Buffer.concat([Buffer.from(head), Buffer.from([0xfa, 0x43, 0x20, 0xc0])]), {
      "inference-header-content-length": String(head.length),
    });
    const plain = await ask(
      Buffer.from(JSON.stringify({ inputs: [{ name: "X", shape: [1, 2], datatype: "FP32", data: [500, -2.5] }] })),
      { "content-type": "application/json" },
    );
    const valuesOf = (answer: unknown): unknown => JSON.stringify((answer as { outputs: unknown }).outputs);
    assert.equal(valuesOf(binary), valuesOf(plain));
  });

  it("answers 400 with an error text for what does not fit, and stays up", async () => {
    const { url } = await served("late-by-matrix");
    const nest = (depth: number): unknown => (depth === 0 ? 1 : [nest(depth - 1)]);
    const input = { name: "X", shape: [1, 2], datatype: "FP32", data: [1, 2] };
    const cases: readonly unknown[] = [
      {},
      { inputs: [] },
      { inputs: [{ ...input, shape: [-1, 2] }] },
      { inputs: [{ ...input, shape: [2 ** 40, 2 ** 40] }] },
      { inputs: [{ ...input, data: [1] }] },
      { inputs: [{ ...input, datatype: "FP31" }] },
      { inputs: [{ ...input, datatype: "INT64", data: [1.5, 2] }] },
      { inputs: [{ ...input, datatype: "UINT8", data: [300, 2] }] },
      { inputs: [{ ...input, data: nest(200) }] },
      { inputs: [{ ...input, shape: [1, 3], data: [1, 2, 3] }] },
      { inputs: [input], outputs: [{ name: "nothing" }] },
      { inputs: [input], outputs: [{ name: "probability" }, { name: "probability" }] },
    ];
    for (const body of cases) {
      const answer = await post(`${url}/v2/models/delay/infer`, body);
      assert.equal(answer.status, 400, JSON.stringify(body).slice(0, 200));
      assert.equal(typeof answer.json["error"], "string");
    }
    assert.equal((await post(`${url}/v2/models/delay/infer`, { inputs: [input] })).status, 200);
  });
});
