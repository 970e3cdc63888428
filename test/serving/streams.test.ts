// Answers in parts: a Python model whose class has predict_stream, as server-sent events.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { silentLog } from "#base";
import { getPrediction, listPredictionTotals } from "#metadata-store/serving";
import { createServing } from "#serving";
import { pythonModels } from "../setup/python-models.ts";
import { openTestStore } from "../setup/stores.ts";
import { publishModel, pythonServing } from "./python-served.ts";
import { deploy, listen } from "./served.ts";

const LIMIT = { timeout: 4 * 60_000 };
const KEY = { project: "p", environment: "production", endpoint: "delay" };

describe("a Python model with predict_stream", async () => {
  const stored = await openTestStore("sqlite");
  const { folder } = await pythonModels();
  const python = await pythonServing(stored.objects);
  const serving = createServing({ ...stored, log: silentLog, python, timeoutMs: 5000 });
  after(() => serving.close());
  await deploy(serving, await publishModel(stored, join(folder, "streaming")));
  const url = `${await listen(serving)}/endpoints/production/delay`;

  interface Asked {
    readonly text: string;
    readonly count: number;
    readonly wait: number;
  }
  const post = (path: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
    fetch(`${url}/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  const invoke = (row: Asked, signal?: AbortSignal): Promise<Response> =>
    post("invocations", { dataframe_records: [row], stream: true }, signal);
  const eventsOf = (text: string): readonly string[] =>
    text
      .split("\n\n")
      .filter((event) => event !== "")
      .map((event) => event.replace(/^data: /, ""));
  const counts = async (): Promise<{ readonly computed: number; readonly over: number }> => {
    const row = { text: "", count: 0, wait: 0 };
    let response = await post("invocations", { dataframe_records: [row] });
    // A process that was ended takes a while to load its model again.
    while (response.status === 504) response = await post("invocations", { dataframe_records: [row] });
    const { predictions } = (await response.json()) as { predictions: [{ computed: number; over: number }] };
    return predictions[0];
  };
  const logged = async (response: Response): Promise<string | undefined> => {
    const id = response.headers.get("x-esteira-prediction-id") ?? "";
    return (await stored.store.read((transaction) => getPrediction(transaction, id)))?.predictionText;
  };
  const total = async (): Promise<number> => {
    const totals = await stored.store.read((transaction) => listPredictionTotals(transaction, KEY));
    return totals.reduce((sum, { predictions }) => sum + predictions, 0);
  };

  it("is streamed as MLflow's clients read it, and logged once as a whole before the last event", LIMIT, async () => {
    const before = await total();
    const response = await invoke({ text: "olá ", count: 3, wait: 0 });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    assert.deepEqual(eventsOf(await response.text()), ['"olá 0 "', '"olá 1 "', '"olá 2 "', "[DONE]"]);
    assert.equal(await logged(response), "olá 0 olá 1 olá 2 ");
    assert.equal((await total()) - before, 1);
    const dicts = await invoke({ text: "dict", count: 2, wait: 0 });
    const [first] = eventsOf(await dicts.text());
    assert.deepEqual(JSON.parse(first ?? ""), { choices: [{ delta: { content: "0 ☀" }, logprob: null }] });
    assert.match((await logged(dicts)) ?? "", /^\[\{"choices"/);
    const [times] = eventsOf(await (await invoke({ text: "times", count: 1, wait: 0 })).text());
    assert.deepEqual(JSON.parse(times ?? ""), {
      at: "2026-01-02T03:04:05.123456789",
      all: ["2026-01-02T00:00:00", null],
    });
  });

  it("sends a part before the next one is computed, and computes for others meanwhile", LIMIT, async () => {
    const before = await counts();
    const response = await invoke({ text: "a", count: 4, wait: 400 });
    const reader = response.body?.getReader();
    assert.ok(reader);
    const first = await reader.read();
    assert.match(Buffer.from(first.value ?? []).toString(), /^data: "a0 "/);
    const meanwhile = await counts();
    assert.ok(meanwhile.computed - before.computed < 4, `${meanwhile.computed - before.computed} were computed`);
    const whole = await Promise.all(
      [1, 2, 3].map(async (n) => (await invoke({ text: `s${n}-`, count: 3, wait: 5 })).text()),
    );
    for (const [index, text] of whole.entries())
      assert.deepEqual(eventsOf(text), [0, 1, 2].map((part) => `"s${index + 1}-${part} "`).concat("[DONE]"));
    await reader.cancel();
  });

  it("computes no more for a caller who left, and logs what was given", LIMIT, async () => {
    const before = await counts();
    const leave = new AbortController();
    const response = await invoke({ text: "b", count: 1000, wait: 20 }, leave.signal);
    await response.body?.getReader().read();
    leave.abort();
    let now = await counts();
    while (now.over === before.over) {
      await pause(20);
      now = await counts();
    }
    assert.ok(now.computed - before.computed < 500, `${now.computed - before.computed} parts were computed`);
    assert.match((await logged(response)) ?? "", /^b0 /);
  });

  it("ends its process where a part is not over a second after its caller left", LIMIT, async () => {
    const leave = new AbortController();
    const asked = invoke({ text: "slow", count: 1, wait: 60_000 }, leave.signal).catch((error: unknown) => error);
    await pause(300);
    leave.abort();
    await asked;
    const startMs = performance.now();
    assert.deepEqual(await counts(), { computed: 0, over: 0 });
    assert.ok(performance.now() - startMs < 60_000);
  });

  it("leaves the streams of others alone while a part of a caller who left is computed", LIMIT, async () => {
    const before = await counts();
    // It is longer at work than the other one, whenever that is left.
    const other = await invoke({ text: "o", count: 6, wait: 600 });
    const leave = new AbortController();
    const slow = await invoke({ text: "slow", count: 2, wait: 1600 }, leave.signal);
    await slow.body?.getReader().read();
    await pause(900);
    leave.abort();
    assert.deepEqual(eventsOf(await other.text()).at(-1), "[DONE]");
    let now = await counts();
    while (now.over < before.over + 2) {
      assert.ok(now.computed >= before.computed, "the process was ended");
      await pause(20);
      now = await counts();
    }
  });

  it("says a failure before the first part by its status, and a later one by an event", LIMIT, async () => {
    const refused = await invoke({ text: "refused", count: 1, wait: 0 });
    assert.equal(refused.status, 422, await refused.text());
    const failing = await invoke({ text: "fails", count: 5, wait: 0 });
    const events = eventsOf(await failing.text());
    assert.deepEqual(events.slice(0, 2), ['"fails0 "', '"fails1 "']);
    assert.match(events[2] ?? "", /SERVING_RUNTIME_FAILED.*nothing comes to mind/);
    assert.equal(events.length, 3);
    assert.equal(await logged(failing), "fails0 fails1 ");
    const dying = await invoke({ text: "dies", count: 5, wait: 0 });
    assert.match(eventsOf(await dying.text())[2] ?? "", /SERVING_STREAM_LOST.*exit code 7/);
    const late = await invoke({ text: "late", count: 1, wait: 20_000 });
    assert.equal(late.status, 504, await late.text());
    const empty = await invoke({ text: "empty", count: 0, wait: 0 });
    assert.deepEqual(eventsOf(await empty.text()), ["[DONE]"]);
  });

  it("refuses several rows, columns that are missing, and a stream that is no truth value", LIMIT, async () => {
    const row = { text: "a", count: 1, wait: 0 };
    const several = await post("invocations", { dataframe_records: [row, row], stream: true });
    assert.match(`${several.status} ${await several.text()}`, /^400 .*2 rows, expected one row/);
    const lacking = await post("invocations", { dataframe_records: [{ text: "a" }], stream: true });
    assert.match(`${lacking.status} ${await lacking.text()}`, /^400 .*count/);
    const wrong = await post("invocations", { dataframe_records: [row], stream: "yes" });
    assert.match(`${wrong.status} ${await wrong.text()}`, /^400 .*stream.*true or false/);
  });

  it("is streamed as Triton's generate extension has it", LIMIT, async () => {
    const response = await post("v2/models/delay/generate_stream", { id: "r-9", text: "t", count: 2, wait: 0 });
    assert.deepEqual(
      eventsOf(await response.text()).map((event) => JSON.parse(event) as unknown),
      [0, 1].map((part) => ({ model_name: "delay", model_version: "1", text_output: `t${part} ` })),
    );
    assert.equal(response.headers.get("x-esteira-request-id"), "r-9");
    const wrong = await post("v2/models/delay/generate_stream", { text: "t", count: 2, wait: 0, more: 1 });
    assert.match(`${wrong.status} ${await wrong.text()}`, /^400 .*more/);
    const metadata = (await (await fetch(`${url}/v2/models/delay`)).json()) as { parameters: { streams?: boolean } };
    assert.equal(metadata.parameters.streams, true);
  });
});
