// Answers in parts under a trial, their time limit, and what is counted of them; the models are scripts of the tests.
import assert from "node:assert/strict";
import { it } from "node:test";
import { createMetrics, isEsteiraError, type Log, silentLog } from "#base";
import { getOpenTrial, listPredictionTotals, type TrialFigures } from "#metadata-store/serving";
import { sourceOfRecords } from "#serving";
import { runtimeFailed } from "../../src/serving/errors.ts";
import { KEY, openScripted, type Scripted, streamOf, tensorsOf } from "./scripted-runtime.ts";

const CANARY = { canary: "100%", watch: "1h" };
const broken = (): Error => runtimeFailed({ model: "delay", reason: "no" });
const row = { source: sourceOfRecords([{ distance: 1, hour: 1 }]) };

async function readAll({ endpoints }: Scripted): Promise<readonly unknown[]> {
  const answer = await endpoints.stream(KEY, row);
  const parts: unknown[] = [];
  for (let part = await answer.next(); part !== undefined; part = await answer.next()) parts.push(part.chunk);
  return parts;
}

async function figuresOf({ store }: Scripted): Promise<TrialFigures | undefined> {
  return (await store.read((transaction) => getOpenTrial(transaction, KEY)))?.figures;
}

function listening(): { readonly log: Log; readonly said: string[] } {
  const said: string[] = [];
  return { said, log: { ...silentLog, error: (message) => void said.push(message) } };
}

it("a candidate that fails before its first part is counted before the stable version answers", async () => {
  const test = await openScripted();
  await test.deploy({ stream: streamOf("a", "b") });
  await test.deploy({ stream: streamOf(broken()) }, CANARY);
  let judged: TrialFigures | undefined;
  test.endpoints.onCandidateFailure(async () => void (judged = await figuresOf(test)));
  assert.deepEqual(await readAll(test), ["a", "b"]);
  assert.deepEqual(judged?.candidate.failures, { SERVING_RUNTIME_FAILED: 1 });
  assert.equal(test.endpoints.counters.candidateFailed, 1);
  assert.equal((await figuresOf(test))?.stable.requests, 1);
});

it("a stable version that fails before its first part is observed while a trial goes on", async () => {
  const test = await openScripted();
  await test.deploy({ stream: streamOf(broken()) });
  await test.deploy({ stream: streamOf("never") }, { canary: "1%", watch: "1h", header: "x-arm" });
  const header = (name: string): string | undefined => (name === "x-arm" ? "stable" : undefined);
  await assert.rejects(test.endpoints.stream(KEY, { ...row, header }), (error) =>
    isEsteiraError(error, "SERVING_RUNTIME_FAILED"),
  );
  assert.deepEqual((await figuresOf(test))?.stable.failures, { SERVING_RUNTIME_FAILED: 1 });
  assert.equal(test.endpoints.statistics(KEY)[0]?.fail.count, 1);
});

it("a candidate that fails after its first part is judged at once", async () => {
  const test = await openScripted();
  await test.deploy({ stream: streamOf("a") });
  await test.deploy({ stream: streamOf("a", broken()) }, CANARY);
  let judged: TrialFigures | undefined;
  test.endpoints.onCandidateFailure(async () => void (judged = await figuresOf(test)));
  await assert.rejects(readAll(test), (error) => isEsteiraError(error, "SERVING_RUNTIME_FAILED"));
  assert.deepEqual(judged?.candidate.failures, { SERVING_RUNTIME_FAILED: 1 });
});

it("a caller who leaves is no failure of the candidate, and nobody stands in for it", async () => {
  const test = await openScripted();
  const leave = new AbortController();
  let asked = 0;
  await test.deploy({ predict: async ({ rowCount }) => (asked++, tensorsOf(rowCount, 1)) });
  const slow = Promise.withResolvers<void>();
  let runs = 0;
  const predict = async ({ rowCount }: { readonly rowCount: number }) => {
    if (runs++ > 0) await slow.promise;
    return tensorsOf(rowCount, 1);
  };
  await test.deploy({ predict }, CANARY);
  const before = asked;
  const answer = test.endpoints.predict(KEY, { ...row, signal: leave.signal });
  setImmediate(() => leave.abort());
  await assert.rejects(answer, (error) => isEsteiraError(error, "SERVING_CALLER_GONE"));
  slow.resolve();
  assert.deepEqual((await figuresOf(test))?.candidate.failures, {});
  assert.deepEqual([test.endpoints.counters.candidateFailed, asked - before], [0, 0]);
});

it("a stream that nobody reads is over when its time is up: logged, its model free, and a late reader is told", async () => {
  const test = await openScripted({ longestStreamMs: 30 });
  const stopped = Promise.withResolvers<void>();
  const first = await test.deploy({
    stream: async () => ({ next: async () => ({ chunk: "a" }), stop: async () => stopped.resolve() }),
  });
  const answer = await test.endpoints.stream(KEY, row);
  assert.deepEqual(await answer.next(), { chunk: "a" });
  await stopped.promise;
  await assert.rejects(answer.next(), (error) => isEsteiraError(error, "SERVING_STREAM_TOO_LONG"));
  await answer.stop();
  const totals = await test.store.read((transaction) => listPredictionTotals(transaction, KEY));
  assert.deepEqual(
    totals.map(({ predictions }) => predictions),
    [1],
  );
  assert.equal(first.version, 1);
});

it("a stream whose next part comes when its time is up is told of it, and counts as failed", async () => {
  const test = await openScripted({ longestStreamMs: 20 });
  const late = Promise.withResolvers<void>();
  let parts = 0;
  await test.deploy({
    stream: async () => ({
      next: async () => {
        if (parts++ > 0) await late.promise;
        return { chunk: "a" };
      },
      stop: async () => {},
    }),
  });
  const answer = await test.endpoints.stream(KEY, row);
  await answer.next();
  const second = answer.next();
  setTimeout(() => late.resolve(), 60);
  await assert.rejects(second, (error) => isEsteiraError(error, "SERVING_STREAM_TOO_LONG"));
  assert.equal(test.endpoints.statistics(KEY)[0]?.fail.count, 1);
});

it("a stream that cannot be logged is told: to who reads it, in the server's log, and in what is counted", async () => {
  const { log, said } = listening();
  let isBroken = false;
  const test = await openScripted({
    log,
    around: (predictions) => ({
      append: (...given) => (isBroken ? Promise.reject(new Error("disk full")) : predictions.append(...given)),
    }),
  });
  await test.deploy({ stream: streamOf("a", "b") });
  const left = await test.endpoints.stream(KEY, row);
  isBroken = true;
  await assert.rejects(left.stop(), /disk full/);
  await assert.rejects(readAll(test), /disk full/);
  assert.deepEqual(said, ["a stream could not be logged", "a stream could not be logged"]);
  assert.equal(test.endpoints.statistics(KEY)[0]?.fail.count, 2);
});

it("names of endpoints that callers make up are in no metric, of streams either", async () => {
  const metrics = createMetrics();
  const test = await openScripted({ metrics });
  await test.deploy({ stream: streamOf(broken()) });
  for (const endpoint of ["made-up", "delay"]) await assert.rejects(test.endpoints.stream({ ...KEY, endpoint }, row));
  const text = await metrics.write();
  assert.doesNotMatch(text, /made-up/);
  assert.match(text, /error_type="SERVING_RUNTIME_FAILED"/);
  assert.equal(test.endpoints.statistics(KEY)[0]?.fail.count, 1);
});

it("a candidate as wide as the stable version for these rows is no failure, though the stable one was narrower before", async () => {
  const test = await openScripted();
  const wide = { predict: async ({ rowCount }: { readonly rowCount: number }) => tensorsOf(rowCount, rowCount) };
  await test.deploy(wide);
  await test.deploy(wide, CANARY);
  const three = { source: sourceOfRecords(Array.from({ length: 3 }, () => ({ distance: 1, hour: 1 }))) };
  const { candidate } = await test.endpoints.predict(KEY, three);
  assert.equal(candidate?.rows.length, 3);
  assert.equal(test.endpoints.counters.candidateFailed, 0);
});

it("a candidate of another width than the stable version for the same rows is a failure", async () => {
  const test = await openScripted();
  await test.deploy({});
  await test.deploy({ predict: async ({ rowCount }) => tensorsOf(rowCount, 2) }, CANARY);
  const { candidate } = await test.endpoints.predict(KEY, row);
  assert.equal(candidate, undefined);
  assert.equal(test.endpoints.counters.candidateFailed, 1);
});

it("where both arms answer rows of one request, and their sizes depend on the rows, the stable version answers all", async () => {
  const test = await openScripted();
  const wide = { predict: async ({ rowCount }: { readonly rowCount: number }) => tensorsOf(rowCount, rowCount) };
  await test.deploy(wide);
  await test.deploy(wide, { canary: "50%", watch: "1h" });
  const source = sourceOfRecords(Array.from({ length: 41 }, () => ({ distance: 1, hour: 1 })));
  const entityKeys = Array.from({ length: 41 }, (_, index) => `unit-${index}`);
  const { output, candidate } = await test.endpoints.predict(KEY, { source, entityKeys });
  assert.deepEqual(output.kind === "tensors" ? output.tensors[0]?.shape : undefined, [41]);
  assert.equal(candidate, undefined);
  assert.equal(test.endpoints.counters.candidateFailed, 0);
});
