// Clients that others wrote, as they are: tritonclient over HTTP and gRPC, kserve; and bytes that no client sends.
import assert from "node:assert/strict";
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { serveGrpc } from "#server";
import { runPython } from "../setup/mlflow-client.ts";
import { openTestServer, signIn } from "../setup/opened-server.ts";
import { testPython } from "../setup/python-environment.ts";
import { readCase, registerModel } from "./served.ts";

const LIMIT = { timeout: 10 * 60_000 };

const TRITON = `
import json, sys
import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
facts = json.loads(sys.argv[1])
rows = facts["rows"]
headers = {"authorization": facts["authorization"]}

def inputs(module, binary=None):
    made = []
    for name, datatype, values in [("distance", "FP64", np.array([row["distance"] for row in rows], dtype="float64")), ("hour", "INT64", np.array([row["hour"] for row in rows], dtype="int64")), ("origin", "BYTES", np.array([row["origin"].encode() for row in rows], dtype=object))]:
        tensor = module.InferInput(name, [len(rows)], datatype)
        tensor.set_data_from_numpy(values, **({} if binary is None else {"binary_data": binary}))
        made.append(tensor)
    return made

found = {}
client = grpc.InferenceServerClient(facts["grpc"])
options = {"headers": headers}
found["live"] = [client.is_server_live(**options), client.is_server_ready(**options), client.is_model_ready("production/delay", **options)]
found["server"] = list(client.get_server_metadata(**options).extensions)
metadata = client.get_model_metadata("delay", **options)
found["metadata"] = [metadata.name, metadata.platform, [[tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.inputs], [tensor.name for tensor in metadata.outputs]]
config = client.get_model_config("delay", **options).config
found["config"] = [config.name, config.max_batch_size, [[tensor.name, tensor.data_type] for tensor in config.input]]
for name, more in {"plain": {}, "gzip": {"compression_algorithm": "gzip"}, "deflate": {"compression_algorithm": "deflate"}}.items():
    found["grpc " + name] = client.infer("delay", inputs(grpc), request_id="r-1", **options, **more).as_numpy("probability").tolist()
found["versions"] = client.infer("delay", inputs(grpc), model_version="1", **options).get_response().model_version
import queue
answers = queue.Queue()
client.start_stream(lambda result, error: answers.put((result, error)), headers=headers)
client.async_stream_infer("delay", inputs(grpc))
client.async_stream_infer("delay", inputs(grpc)[:2])
client.async_stream_infer("delay", inputs(grpc))
said = [answers.get(timeout=60) for _ in range(3)]
client.stop_stream()
found["stream"] = [None if result is None else result.as_numpy("probability").tolist() for result, _ in said]
found["stream error"] = str(said[1][1])
index = client.get_model_repository_index(**options).models
found["index"] = [[model.name, model.version, model.state] for model in index]
statistics = client.get_inference_statistics("delay", **options).model_stats[0]
found["stats"] = [statistics.inference_count >= 6 * len(rows), statistics.inference_stats.success.count >= 6, statistics.inference_stats.success.ns > 0, statistics.inference_stats.fail.count >= 1]
errors = {}
for name, call in {
    "model": lambda: client.infer("none", inputs(grpc), **options),
    "version": lambda: client.infer("delay", inputs(grpc), model_version="9", **options),
    "input": lambda: client.infer("delay", inputs(grpc)[:1], **options),
    "nobody": lambda: client.infer("delay", inputs(grpc)),
    "viewer": lambda: client.infer("delay", inputs(grpc), headers={"authorization": facts["viewer"]}),
    "unimplemented": lambda: client.load_model("delay", **options),
}.items():
    try:
        call()
        errors[name] = "no error"
    except Exception as error:
        errors[name] = str(error)
found["errors"] = errors

url = facts["url"].removeprefix("http://") + "/endpoints/production/delay"
# It writes into the headers that it is given.
web = http.InferenceServerClient(url)
found["http live"] = [web.is_server_live(headers=dict(headers)), web.is_server_ready(headers=dict(headers)), web.is_model_ready("delay", headers=dict(headers))]
found["http binary"] = web.infer("delay", inputs(http, True), headers=dict(headers)).as_numpy("probability").tolist()
found["http json"] = web.infer("delay", inputs(http, False), headers=dict(headers), outputs=[http.InferRequestedOutput("probability", binary_data=False)]).as_numpy("probability").tolist()
found["http gzip"] = web.infer("delay", inputs(http), headers=dict(headers), request_compression_algorithm="gzip", response_compression_algorithm="gzip").as_numpy("probability").tolist()
found["http index"] = web.get_model_repository_index(headers=dict(headers))
found["http config"] = web.get_model_config("delay", headers=dict(headers))["platform"]
found["http stats"] = web.get_inference_statistics("delay", headers=dict(headers))["model_stats"][0]["inference_count"] > 0
example = {tensor["name"]: tensor for tensor in web.get_model_metadata("delay", headers=dict(headers))["inputs"]}
made = []
for name, tensor in example.items():
    value = http.InferInput(name, [1], tensor["datatype"])
    value.set_data_from_numpy(np.array([tensor["parameters"]["example"]], dtype=object if tensor["datatype"] == "BYTES" else {"FP64": "float64", "INT64": "int64"}[tensor["datatype"]]))
    made.append(value)
found["from metadata"] = web.infer("delay", made, headers=dict(headers)).as_numpy("probability").shape
for name, module, infer in [("grpc shapes", grpc, lambda made: client.infer("shapes", made, **options)), ("http shapes", http, lambda made: web.infer("shapes", made, headers=dict(headers)))]:
    matrix = module.InferInput("rows", [len(facts["shapes"]), 2], "FP64")
    matrix.set_data_from_numpy(np.array([[row["distance"], row["hour"]] for row in facts["shapes"]], dtype="float64"))
    if module is http:
        web = http.InferenceServerClient(url.replace("/delay", "/shapes"))
    answer = infer([matrix])
    found[name] = {output: (lambda values: [each.decode() for each in values] if values.dtype == object else [str(each) for each in values] if values.dtype == "int64" else values.tolist())(answer.as_numpy(output)) for output in facts["outputs"]}
web = http.InferenceServerClient(url)
try:
    web.infer("delay", inputs(http)[:1], headers=dict(headers))
except Exception as error:
    found["http error"] = str(error)
print(json.dumps(found))
`;

const KSERVE = `
import asyncio, json, sys
from kserve import InferenceRESTClient, RESTConfig, InferInput, InferRequest
facts = json.loads(sys.argv[1])
rows = facts["rows"]
base = facts["url"] + "/endpoints/production/delay"
headers = {"authorization": facts["authorization"], "content-type": "application/json"}

async def main():
    found = {}
    one = InferenceRESTClient(RESTConfig(protocol="v1"))
    found["v1"] = (await one.infer(base, {"instances": rows}, model_name="delay", headers=headers))["predictions"]
    found["v1 ready"] = await one.is_model_ready(base, "delay", headers=headers)
    two = InferenceRESTClient(RESTConfig(protocol="v2"))
    tensors = [InferInput(name="distance", shape=[len(rows)], datatype="FP64", data=[row["distance"] for row in rows]), InferInput(name="hour", shape=[len(rows)], datatype="INT64", data=[row["hour"] for row in rows]), InferInput(name="origin", shape=[len(rows)], datatype="BYTES", data=[row["origin"] for row in rows])]
    answer = await two.infer(base, InferRequest(model_name="delay", infer_inputs=tensors), model_name="delay", headers=headers)
    found["v2"] = answer.outputs[0].data
    found["v2 ready"] = [await two.is_server_live(base, headers=headers), await two.is_server_ready(base, headers=headers), await two.is_model_ready(base, "delay", headers=headers)]
    print(json.dumps(found))

asyncio.run(main())
`;

describe("an endpoint, asked by clients that others wrote", async () => {
  const opened = await openTestServer({ yaml: "environments: { production: {}, staging: {} }\n", start: true });
  const platform = await opened.platform.whole();
  const deploy = async (endpoint: string, environment = "production", model = "late-by-columns"): Promise<void> => {
    const version = await registerModel(platform, model);
    await platform.serving.target.deploy(
      { deploymentId: `${environment}/${endpoint}`, project: "p", environment, endpoint, version, actor: "ana" },
      { signal: new AbortController().signal, log: () => {} },
    );
  };
  await deploy("delay");
  await deploy("twice");
  await deploy("twice", "staging");
  await deploy("shapes", "production", "every-shape");
  const grpc = await serveGrpc(platform, { host: "127.0.0.1", port: 0 });
  after(() => grpc.close());
  const { authorization = "" } = await signIn(opened, "ana", "contributor");
  const viewer = (await signIn(opened, "eva", "viewer"))["authorization"] ?? "";
  const { rows, predicted } = await readCase("late-by-columns");
  const shapes = await readCase("every-shape");
  const facts = {
    shapes: shapes.rows,
    outputs: Object.keys(shapes.predicted),
    grpc: `127.0.0.1:${grpc.port}`,
    url: opened.url,
    authorization,
    viewer,
    rows,
  };
  const run = async (packages: readonly string[], script: string): Promise<Record<string, unknown>> => {
    const made = await testPython(packages);
    if ("problem" in made) throw new Error(made.problem);
    const said = await runPython(made.python, script, { arguments: [JSON.stringify(facts)] });
    return JSON.parse(said.split("\n").at(-1) ?? "") as Record<string, unknown>;
  };
  const near = (found: unknown, name: string): void => {
    assert.ok(Array.isArray(found), `${name}: ${JSON.stringify(found)}`);
    assert.equal(found.length, predicted.length, name);
    for (const [row, value] of found.entries())
      assert.ok(Math.abs(Number(value) - Number(predicted[row])) < 1e-5, `${name} ${row}: ${String(value)}`);
  };

  it("answers tritonclient over gRPC and HTTP", LIMIT, async () => {
    const found = await run(["tritonclient[http,grpc]==2.73.0", "numpy"], TRITON);
    for (const name of ["grpc plain", "grpc gzip", "grpc deflate", "http binary", "http json", "http gzip"])
      near(found[name], name);
    for (const name of ["grpc shapes", "http shapes"]) assert.deepEqual(found[name], shapes.predicted, name);
    assert.deepEqual(found["live"], [true, true, true]);
    assert.deepEqual(found["http live"], [true, true, true]);
    assert.deepEqual(found["server"], ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]);
    const inputs = [
      ["distance", "FP64", [-1]],
      ["hour", "INT64", [-1]],
      ["origin", "BYTES", [-1]],
    ];
    assert.deepEqual(found["metadata"], ["delay", "onnx_onnxv1", inputs, ["probability"]]);
    assert.deepEqual(found["config"], [
      "delay",
      0,
      [
        ["distance", 12],
        ["hour", 9],
        ["origin", 13],
      ],
    ]);
    assert.equal(found["versions"], "1");
    const [first, failed, last] = found["stream"] as unknown[];
    near(first, "stream");
    near(last, "stream");
    assert.equal(failed, null);
    assert.match(String(found["stream error"]), /no column "origin"/);
    assert.deepEqual(found["index"], [
      ["production/delay", "1", "READY"],
      ["production/shapes", "4", "READY"],
      ["production/twice", "2", "READY"],
      ["staging/twice", "3", "READY"],
    ]);
    assert.deepEqual(found["http index"], [{ name: "delay", version: "1", state: "READY", reason: "" }]);
    assert.deepEqual(found["stats"], [true, true, true, true]);
    assert.deepEqual([found["http config"], found["http stats"], found["from metadata"]], ["onnx_onnxv1", true, [1]]);
    const errors = found["errors"] as Record<string, string>;
    assert.match(errors["model"] ?? "", /NOT_FOUND.*"none" means no one endpoint; there is production\/delay/);
    assert.match(errors["version"] ?? "", /NOT_FOUND.*version 9/);
    assert.match(errors["input"] ?? "", /INVALID_ARGUMENT.*SERVING_COLUMN_MISSING/);
    assert.match(errors["nobody"] ?? "", /UNAUTHENTICATED/);
    assert.match(errors["viewer"] ?? "", /PERMISSION_DENIED/);
    assert.match(errors["unimplemented"] ?? "", /UNIMPLEMENTED/);
    assert.match(String(found["http error"]), /no column "hour"|no column "origin"/);
  });

  it("answers kserve's client, version 1 and 2", LIMIT, async () => {
    const found = await run(["kserve==0.21.0"], KSERVE);
    near(found["v1"], "v1");
    near(found["v2"], "v2");
    assert.deepEqual(found["v2 ready"], [true, true, true]);
    assert.equal(found["v1 ready"], true);
  });

  describe("by its own OpenAPI document", () => {
    const read = async (name: string): Promise<Document> => {
      const answer = await fetch(`${opened.url}/endpoints/production/${name}/openapi.json`, {
        headers: { authorization },
      });
      assert.equal(answer.status, 200);
      return (await answer.json()) as Document;
    };
    interface Document {
      readonly openapi: string;
      readonly paths: Readonly<Record<string, { readonly post?: { readonly requestBody: Body } }>>;
    }
    interface Body {
      readonly content: Readonly<Record<string, { readonly example: unknown }>>;
    }

    it("accepts each of the requests that stand there as examples", async () => {
      const { paths, openapi } = await read("delay");
      assert.equal(openapi, "3.1.0");
      const calls = Object.entries(paths).filter(([, { post }]) => post !== undefined);
      assert.equal(calls.length, 4);
      for (const [path, { post }] of calls) {
        const answer = await fetch(`${opened.url}${path}`, {
          method: "POST",
          headers: { authorization, "content-type": "application/json" },
          body: JSON.stringify(post?.requestBody.content["application/json"]?.example),
        });
        assert.equal(answer.status, 200, `${path}: ${await answer.text()}`);
      }
    });
  });

  describe("over gRPC, with bytes that no client sends", () => {
    let session: ClientHttp2Session;
    before(() => {
      session = connect(`http://127.0.0.1:${grpc.port}`);
      session.on("error", () => undefined);
    });
    after(() => session.destroy());

    const call = (
      procedure: string,
      body: Buffer,
      headers: Readonly<Record<string, string>> = {},
    ): Promise<{ readonly status: string; readonly message: string; readonly body: Buffer }> =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ":method": "POST",
          ":path": `/inference.GRPCInferenceService/${procedure}`,
          "content-type": "application/grpc",
          authorization,
          ...headers,
        });
        const chunks: Buffer[] = [];
        let found: IncomingHttpHeaders = {};
        stream.on("response", (headers_) => (found = { ...found, ...headers_ }));
        stream.on("trailers", (trailers) => (found = { ...found, ...trailers }));
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("error", reject);
        stream.on("close", () =>
          resolve({
            status: String(found["grpc-status"]),
            message: decodeURIComponent([found["grpc-message"]].flat()[0] ?? ""),
            body: Buffer.concat(chunks),
          }),
        );
        stream.end(body);
      });
    const framed = (message: Buffer, flag = 0, length = message.byteLength): Buffer => {
      const prefix = Buffer.alloc(5);
      prefix[0] = flag;
      prefix.writeUInt32BE(length, 1);
      return Buffer.concat([prefix, message]);
    };

    it("refuses what is cut off, too large, of another type or unknown, and goes on", async () => {
      const name = Buffer.from([0x0a, 5, ...Buffer.from("delay")]);
      const cases: readonly (readonly [string, Buffer, Readonly<Record<string, string>>, string, RegExp])[] = [
        ["ModelReady", framed(Buffer.from([0x0a, 200])), {}, "3", /cut off/],
        ["ModelReady", framed(Buffer.from([0x08, 1])), {}, "3", /another type/],
        ["ModelReady", framed(Buffer.alloc(20, 0xff)), {}, "3", /64 bits|unknown form|cut off/],
        ["ModelReady", framed(name).subarray(0, 7), {}, "3", /cut off/],
        ["ModelReady", Buffer.alloc(0), {}, "3", /no message/],
        ["ModelReady", Buffer.concat([framed(name), framed(name)]), {}, "3", /more than one/],
        ["ModelReady", framed(name, 1), { "grpc-encoding": "snappy" }, "3", /snappy/],
        ["ModelReady", framed(name, 1), { "grpc-encoding": "gzip" }, "3", /unpacked/],
        ["ModelReady", framed(Buffer.from([0x0a, 2, 0xc3, 0x28])), {}, "3", /UTF-8/],
        ["ModelReady", framed(Buffer.alloc(10), 0, 2 ** 31), {}, "8", /large/],
        ["ModelInfer", framed(gzipSync(Buffer.alloc(100 * 2 ** 20)), 1), { "grpc-encoding": "gzip" }, "8", /large/],
        ["ModelInfer", framed(name), {}, "3", /no tensor/],
        [
          "ModelReady",
          framed(Buffer.from([0x0a, 5, ...Buffer.from("twice")])),
          {},
          "5",
          /production\/twice, staging\/twice/,
        ],
        ["ModelReady", framed(Buffer.from([0x0a, 9, ...Buffer.from("../../etc")])), {}, "5", /no endpoint/],
        ["Nothing", framed(Buffer.alloc(0)), {}, "12", /Nothing/],
        ["../ModelReady", framed(name), {}, "12", /./],
        ["ModelReady", framed(name), { authorization: "Bearer est_x" }, "16", /token/],
      ];
      for (const [procedure, body, headers, status, says] of cases) {
        const answer = await call(procedure, body, headers);
        assert.deepEqual([procedure, answer.status], [procedure, status], answer.message);
        assert.match(answer.message, says);
      }
      const right = await call("ModelReady", framed(name));
      assert.deepEqual([right.status, right.body.toString("hex")], ["0", "00000000020801"]);
    });
  });
});
