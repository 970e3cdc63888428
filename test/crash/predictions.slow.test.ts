// Processes that write, label, move and read predictions are killed at any moment: nothing that was durable is lost or
// doubled, nor left out of a read meanwhile.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { it } from "node:test";
import { listPredictionTotals, type Prediction } from "#metadata-store/serving";
import { openTestPredictions } from "../setup/predictions.ts";
import { describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

const ROUNDS = 10;
const KEY = { project: "p", environment: "production", endpoint: "delay" } as const;

interface Seen {
  readonly durable: Set<string>;
  readonly labels: Map<string, number>;
  readonly wrong: string[];
}

async function start(of: {
  readonly address: string;
  readonly folder: string;
  readonly number: number;
  readonly seen: Seen;
}): Promise<{ readonly child: ChildProcess; readonly read: Promise<unknown> }> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "predict-label-move.ts"), of.address, of.folder, String(of.number)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    resolve();
    const [kind, id = "", value] = line.split(" ");
    if (kind === "P") of.seen.durable.add(id);
    else if (kind === "L" && value !== undefined) of.seen.labels.set(id, Number(value));
    else of.seen.wrong.push(line);
  });
  const read = once(lines, "close");
  await Promise.race([begun, read]);
  return { child, read };
}

describeStores("the log of predictions under kills", (kind) => {
  it("keeps what was durable once, with its labels, and leaves nothing out of a read", async () => {
    const { store, address } = await openTestStore(kind);
    const folder = await temporaryFolder();
    const seen: Seen = { durable: new Set(), labels: new Map(), wrong: [] };
    for (let round = 0; round < ROUNDS; round++) {
      const processes = await Promise.all([1, 2].map((number) => start({ address, folder, number, seen })));
      // One after the other, at another moment each time.
      for (const { child, read } of processes) {
        await delay(200 + Math.random() * 1500);
        child.kill("SIGKILL");
        await read;
      }
      // What a process that was killed holds is held for minutes: here they are over.
      await store.write((transaction) =>
        transaction.updateTable("prediction_history").set({ held_until_ms: 0 }).execute(),
      );
    }
    assert.deepEqual(seen.wrong, []);
    const predictions = await openTestPredictions(store, { folder });
    await assertWhole();
    const [moved] = await predictions.move({ project: "p", ageMs: 0, signal: new AbortController().signal });
    await assertWhole();
    const all = await listAll();
    assert.equal(moved?.rows, all.length, "the table has each row once");
    const [total] = await store.read((transaction) => listPredictionTotals(transaction, KEY));
    assert.equal(total?.predictions, all.length, "the counters say what is there");
    assert.equal(total?.labelled, all.filter(({ label }) => label !== undefined).length);

    async function assertWhole(): Promise<void> {
      const found = new Map<string, Prediction>();
      for (const each of await listAll()) {
        assert.ok(!found.has(each.id), `${each.id} is listed twice`);
        found.set(each.id, each);
      }
      assert.ok(seen.durable.size > 100, `only ${seen.durable.size} were written`);
      assert.ok(seen.labels.size > 20, `only ${seen.labels.size} were labelled`);
      assert.deepEqual(
        [...seen.durable].filter((id) => !found.has(id)),
        [],
        "lost",
      );
      for (const [id, label] of seen.labels) assert.equal(found.get(id)?.label, label);
    }

    async function listAll(): Promise<readonly Prediction[]> {
      const found: Prediction[] = [];
      for (;;) {
        const last = found.at(-1);
        const before = last === undefined ? undefined : ([last.atMs, last.id] as const);
        const page = await predictions.list({ ...KEY, before, limit: 1000 });
        found.push(...page);
        if (page.length < 1000) return found;
      }
    }
  });
});
