// What becomes of a load whose process is ended. The processes are ended by the test; those of real models are in
// python-endpoint.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isEsteiraError, type Json } from "#base";
import type { Worker, WorkerFrame } from "#executors";
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

const OPTIONS = {
  title: "delay version 1",
  signature: { task: "regression", inputs: [], label: undefined, example: undefined },
  timeoutMs: 1000,
  onEnd: () => undefined,
} as const;

const load = (start: () => Promise<Worker>): ReturnType<typeof startPythonWorker> =>
  startPythonWorker({ ...OPTIONS, start });

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

/** A process that answers as it is told to; `ended` says so. */
function openProcess(answer: (frame: WorkerFrame) => Promise<Record<string, Json>>) {
  const ending = Promise.withResolvers<undefined>();
  const how = Promise.withResolvers<string>();
  const state = { isEnded: false };
  const worker: Worker = {
    ask: async (frame) => {
      const header = await Promise.race([answer(frame), ending.promise]);
      return header === undefined ? undefined : { header, body: Buffer.alloc(0) };
    },
    ended: how.promise,
    lastLines: () => "",
    end: async () => {
      state.isEnded = true;
      ending.resolve(undefined);
      how.resolve("SIGTERM");
    },
  };
  return { worker, state };
}

test("a process goes on with a part whose caller left while it has streams of others, and is ended when it has none", async () => {
  const asked: WorkerFrame["header"][] = [];
  const { worker, state } = openProcess(async ({ header }) => {
    asked.push(header);
    if (header["kind"] === "load") return { ok: true, streams: true };
    if (header["kind"] === "next" && header["stream"] === asked[2]?.["stream"]) await new Promise(() => undefined);
    return { ok: true, chunk: "a", done: header["kind"] === "stop" };
  });
  const model = await startPythonWorker({ ...OPTIONS, timeoutMs: 60_000, start: async () => worker });
  const inputs = { rowCount: 1, columns: [] };
  const other = await model.stream?.(inputs);
  const slow = await model.stream?.(inputs);
  assert.deepEqual([await other?.next(), await slow?.next()], [{ chunk: "a" }, { chunk: "a" }]);
  const lost = slow?.next().catch((error: unknown) => error);
  while (asked.at(-1)?.["kind"] !== "next" || asked.at(-1)?.["stream"] !== asked[2]?.["stream"])
    await new Promise((resolve) => setImmediate(resolve));
  const left = slow?.stop();
  // Longer than a process goes on for somebody who left.
  await new Promise((resolve) => setTimeout(resolve, 1300));
  assert.equal(state.isEnded, false);
  const over = other?.stop();
  await Promise.all([left, over]);
  assert.equal(state.isEnded, true);
  assert.ok(isEsteiraError(await lost, "SERVING_STREAM_LOST"));
});

test("a part that waits for the calls of others is not computed for a caller who left, and ends no process", async () => {
  const gate = Promise.withResolvers<void>();
  const kinds: unknown[] = [];
  const { worker, state } = openProcess(async ({ header }) => {
    kinds.push(header["kind"]);
    if (header["kind"] === "predict") await gate.promise;
    return { ok: true, streams: true, chunk: "a" };
  });
  const model = await startPythonWorker({ ...OPTIONS, timeoutMs: 60_000, start: async () => worker });
  const stream = await model.stream?.({ rowCount: 1, columns: [] });
  await stream?.next();
  const busy = model.predict({ rowCount: 1, columns: [] });
  const next = stream?.next().catch((error: unknown) => error);
  const left = stream?.stop();
  gate.resolve();
  await Promise.all([busy, left]);
  assert.ok(isEsteiraError(await next, "SERVING_CALLER_GONE"));
  assert.deepEqual(kinds, ["load", "stream", "predict", "stop"]);
  assert.equal(state.isEnded, false);
});

test("a caller who leaves while the process is started asks nothing of it", async () => {
  const kinds: unknown[] = [];
  const open = () =>
    openProcess(async ({ header }) => {
      kinds.push(header["kind"]);
      return { ok: true, streams: true, chunk: "a" };
    });
  const first = open();
  const gate = Promise.withResolvers<void>();
  let starts = 0;
  const model = await startPythonWorker({
    ...OPTIONS,
    start: async () => {
      if (starts++ === 0) return first.worker;
      await gate.promise;
      return open().worker;
    },
  });
  await first.worker.end();
  await new Promise((resolve) => setImmediate(resolve));
  const leave = new AbortController();
  const opening = model.stream?.({ rowCount: 1, columns: [] }, leave.signal);
  await new Promise((resolve) => setImmediate(resolve));
  leave.abort();
  gate.resolve();
  await assert.rejects(opening ?? Promise.resolve(), (error) => isEsteiraError(error, "SERVING_CALLER_GONE"));
  assert.deepEqual(kinds, ["load", "load"]);
  await model.end();
});
