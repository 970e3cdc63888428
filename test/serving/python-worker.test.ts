// What becomes of a load whose process is ended. The processes are ended by the test; those of real models are in
// python-endpoint.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isEsteiraError } from "#base";
import type { Worker } from "#executors";
import { startPythonWorker } from "../../src/serving/runtime/python/python-worker.ts";

/** Each ends so while it loads; the last one loads. */
function startsEnding(endings: readonly string[]): {
  readonly start: () => Promise<Worker>;
  readonly count: () => number;
} {
  let count = 0;
  return {
    count: () => count,
    start: async () => {
      const how = endings[count++];
      const pending = Promise.withResolvers<string>();
      return {
        ask: async () => {
          if (how === undefined) return { header: { ok: true }, body: Buffer.alloc(0) };
          pending.resolve(how);
          return undefined;
        },
        ended: pending.promise,
        lastLines: () => "importing",
        end: async () => pending.resolve("SIGTERM"),
      };
    },
  };
}

const load = (start: () => Promise<Worker>): ReturnType<typeof startPythonWorker> =>
  startPythonWorker({
    title: "delay version 1",
    signature: { task: "regression", inputs: [], label: undefined, example: undefined },
    timeoutMs: 1000,
    start,
    onEnd: () => undefined,
  });

test("a load that a signal ended is tried again, twice", async () => {
  const killed = startsEnding(["SIGKILL", "SIGKILL"]);
  await (await load(killed.start)).end();
  assert.equal(killed.count(), 3);
  const always = startsEnding(["SIGKILL", "SIGKILL", "SIGKILL"]);
  await assert.rejects(load(always.start), (error) => {
    assert.ok(isEsteiraError(error, "SERVING_MODEL_UNUSABLE"));
    assert.match(error.message, /its process ended with SIGKILL: importing/);
    return true;
  });
  assert.equal(always.count(), 3);
});

test("a load that ended by itself would end so again", async () => {
  const broken = startsEnding(["exit code 1"]);
  await assert.rejects(load(broken.start), /exit code 1/);
  assert.equal(broken.count(), 1);
});
