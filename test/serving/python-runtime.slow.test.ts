// Python models in processes of their own: real MLflow and scikit-learn, a real environment, real processes.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { digestOf, isEsteiraError, messageOf, silentLog } from "#base";
import { createSandbox } from "#executors";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import { type ModelHandle, sourceOfRecords } from "#serving";
import { readSignature, titleOf } from "../../src/serving/model-signature.ts";
import { readInputs } from "../../src/serving/row-source.ts";
import { createPythonRuntime } from "../../src/serving/runtime/python/python-runtime.ts";
import { describeModelRuntime } from "../conformance/model-runtime.ts";
import { pythonModels } from "../setup/python-models.ts";
import { openTestStore, type TestStore } from "../setup/stores.ts";
import { publishModel, pythonServing } from "./python-served.ts";

/** Processes that the model `slow` starts. */
async function listSleepers(): Promise<readonly string[]> {
  const found = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => ({
        pid,
        command: await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
      })),
  );
  return found.flatMap(({ pid, command }) => (command === "sleep\u00009971\u0000" ? [pid] : []));
}

async function openRuntime(options: { readonly timeoutMs?: number } = {}) {
  const stored = await openTestStore("sqlite");
  const runtime = createPythonRuntime({ ...(await pythonServing(stored.objects)), ...options, log: silentLog });
  after(() => runtime.close());
  const load = (version: AssetVersion): Promise<ModelHandle> =>
    runtime.load({ version, signature: readSignature(version), title: titleOf(version) });
  return { stored, runtime, load };
}

/** The version with other inputs than its files have. */
function misdescribe({ store }: TestStore, version: AssetVersion): Promise<AssetVersion> {
  const content = version.content as { readonly model: object };
  const inputs = [{ name: "miles", type: "float" }];
  return store.write(
    async (transaction) =>
      (
        await recordAssetVersion(transaction, {
          project: "p",
          asset: "misdescribed",
          kind: "model",
          digest: digestOf("misdescribed"),
          madeAtMs: 0,
          actor: "ana",
          content: { ...content, model: { ...content.model, inputs } },
          inputs: [],
        })
      ).version,
  );
}

describeModelRuntime(
  "python",
  async (options) => {
    const { stored, runtime, load } = await openRuntime(options);
    const { folder, expected } = await pythonModels();
    const late = await publishModel(stored, join(folder, "late"));
    return {
      runtime,
      load,
      inputs: (version, rows) => readInputs(readSignature(version), sourceOfRecords(rows), "ignore"),
      late: { version: late, rows: expected.rows, predicted: expected.late },
      withoutDistance: expected.withoutDistance,
      labels: {
        version: await publishModel(stored, join(folder, "part"), "part"),
        rows: expected.rows,
        predicted: expected.part,
      },
      misdescribed: await misdescribe(stored, late),
      slow: { version: await publishModel(stored, join(folder, "slow"), "slow"), tooLong: 30_000 },
    };
  },
  { tolerance: 1e-9 },
);

describe("a model in a process of its own", () => {
  const ask = async (first: number, second = 0): Promise<unknown> => {
    const { stored, load } = await openRuntime();
    const { folder } = await pythonModels();
    const handle = await load(await publishModel(stored, join(folder, "slow"), "slow"));
    const rows = (value: number) => ({ rowCount: 1, columns: [Float64Array.of(value), Float64Array.of(second)] });
    const outcome = await handle.predict(rows(first)).catch((error: unknown) => error);
    // Whatever it did, the next call is answered.
    assert.deepEqual(await handle.predict(rows(0)), { kind: "numbers", values: Float64Array.of(0.5) });
    return outcome;
  };

  it("that ends while it computes is asked twice, then named with its last lines", async () => {
    const error = await ask(-1);
    assert.ok(isEsteiraError(error, "SERVING_WORKER_DIED"));
    assert.match(
      error.message,
      /ended twice with exit code 7 while it computed 1 row; its last lines: .*about to end/s,
    );
  });

  it("that writes two megabytes is answered all the same", async () => {
    assert.deepEqual(await ask(-2), { kind: "numbers", values: Float64Array.of(0.5) });
  });

  it("that refuses values says why, as a fault of the caller's, and keeps its process", async () => {
    const error = await ask(-3);
    assert.ok(isEsteiraError(error, "SERVING_VALUES_REFUSED") && error.status === 422);
    assert.match(error.message, /ValueError: no distance is below zero/);
  });

  it("that starts twenty processes takes them along when it is unloaded", async () => {
    const { stored, load } = await openRuntime();
    const { folder } = await pythonModels();
    const handle = await load(await publishModel(stored, join(folder, "slow"), "slow"));
    await handle.predict({ rowCount: 1, columns: [Float64Array.of(-6), Float64Array.of(0)] });
    assert.equal((await listSleepers()).length, 20);
    await handle.unload();
    assert.deepEqual(await listSleepers(), []);
  });

  it("that prints a gigabyte is answered all the same, and only its last lines are held", async () => {
    const before = process.memoryUsage().rss;
    assert.deepEqual(await ask(-7), { kind: "numbers", values: Float64Array.of(0.5) });
    assert.ok(process.memoryUsage().rss - before < 400 * 2 ** 20);
  });

  it("that leaks is refused its memory or ended, by name, and a new process answers", async () => {
    const { stored, load } = await openRuntime();
    const { folder } = await pythonModels();
    const handle = await load(await publishModel(stored, join(folder, "slow"), "slow"));
    const rows = (value: number) => ({ rowCount: 1, columns: [Float64Array.of(value), Float64Array.of(0)] });
    const outcomes: unknown[] = [];
    for (let call = 0; call < 8; call += 1)
      outcomes.push(await handle.predict(rows(-9)).catch((error: unknown) => error));
    assert.ok(
      outcomes.some((outcome) => /MemoryError|allocate|SERVING_WORKER_DIED|ended/.test(String(outcome))),
      outcomes.map(String).join("; "),
    );
    assert.deepEqual(await handle.predict(rows(0)), { kind: "numbers", values: Float64Array.of(0.5) });
  });

  it("that ends at its start is not loaded, and the error has its last lines", async () => {
    const { stored, load } = await openRuntime();
    const { folder } = await pythonModels();
    const version = await publishModel(stored, join(folder, "dead"), "dead");
    await assert.rejects(load(version), (error) => {
      assert.ok(isEsteiraError(error, "SERVING_MODEL_UNUSABLE"));
      assert.match(error.message, /exit code 9: .*no licence was found/s);
      return true;
    });
  });

  it("computes as many calls at once as it has workers; one that ends keeps no other waiting", async () => {
    const { stored, runtime } = await openRuntime();
    const { folder } = await pythonModels();
    const version = await publishModel(stored, join(folder, "slow"), "slow");
    const title = titleOf(version);
    const handle = await runtime.load({ version, signature: readSignature(version), title, workers: 3 });
    const rows = (value: number) => ({ rowCount: 1, columns: [Float64Array.of(value), Float64Array.of(0)] });
    const answers = await Promise.all([1, 2, 3].map(() => handle.predict(rows(-8))));
    const ids = answers.map((answer) => (answer.kind === "numbers" ? answer.values[0] : undefined));
    assert.equal(new Set(ids).size, 3);
    const [died, ...others] = await Promise.allSettled([
      handle.predict(rows(-1)),
      handle.predict(rows(0)),
      handle.predict(rows(0)),
    ]);
    assert.equal(died?.status, "rejected");
    assert.deepEqual(
      others.map(({ status }) => status),
      ["fulfilled", "fulfilled"],
    );
  });

  it("that wants more memory than it may is told so", async () => {
    assert.match(String(await ask(-5)), /MemoryError/);
  });

  it("reaches no address, not even one of this machine, where there is a sandbox", async (t) => {
    const missing = await createSandbox()
      .assertAvailable("this test")
      .then(
        () => undefined,
        (error: unknown) => messageOf(error),
      );
    if (missing !== undefined) return t.skip(missing);
    let asked = 0;
    const server = createServer((_, response) => {
      asked += 1;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    after(() => server.close());
    const { port } = server.address() as AddressInfo;
    assert.ok((await fetch(`http://127.0.0.1:${port}/`)).ok);
    assert.match(String(await ask(-4, port)), /URLError/);
    assert.equal(asked, 1);
  });
});
