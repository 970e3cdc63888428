// Predictions that lie in the database and predictions that left it are one log.
import assert from "node:assert/strict";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { newId } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  clearMoved,
  getPredictionHistory,
  listLabelled,
  listPredictions,
  listPredictionTotals,
  type NewPrediction,
  type Prediction,
  recordPredictions,
} from "#metadata-store/serving";
import type { Predictions } from "#predictions";
import { openTestPredictions } from "../setup/predictions.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay/ç é" } as const;
const { signal } = new AbortController();
const ALL = { project: "p", ageMs: 0, signal } as const;
const HOUR_MS = 3_600_000;

/** Numbers that look random and are the same each time. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const AWKWARD = ["a", "É ü", "'; drop table prediction; --", '"', "\\", "日本", "%_", "\n", " "];

function makePrediction(of: Partial<NewPrediction> = {}): NewPrediction {
  return {
    ...KEY,
    id: newId(1_700_000_000_000),
    modelVersionId: "m1",
    arm: "stable",
    atMs: 1_700_000_000_000,
    receivedAtMs: 1_700_000_000_000,
    requestId: "r",
    features: JSON.stringify({ distance: 1.5, origin: "É'" }),
    context: undefined,
    prediction: 0.25,
    predictionText: undefined,
    entityKey: undefined,
    featureStatus: undefined,
    ...of,
  };
}

async function listAll(
  predictions: Predictions,
  query: Omit<Parameters<Predictions["list"]>[0], "before">,
): Promise<readonly Prediction[]> {
  const found: Prediction[] = [];
  let before: readonly [number, string] | undefined;
  for (;;) {
    const page = await predictions.list({ ...query, before });
    found.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < (query.limit ?? 100)) return found;
    before = [last.atMs, last.id];
  }
}

async function scanAll(predictions: Predictions, fromMs: number, toMs: number): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const part of predictions.scan({ ...KEY, fromMs, toMs }))
    found.push(...part.map((row) => `${row.at_ms} ${row.id} ${row.label ?? row.label_text ?? "-"} ${row.features}`));
  return found;
}

function toScanLine(each: Prediction): string {
  return `${each.atMs} ${each.id} ${each.label ?? each.labelText ?? "-"} ${each.features}`;
}

/** What is left of the database's table when every row stays there: the reference of everything that is read. */
async function readReference(store: MetadataStore, query: object = {}): Promise<readonly Prediction[]> {
  return store.read((transaction) => listPredictions(transaction, { ...KEY, limit: 1000, ...query }));
}

describeStores("the log of predictions", (kind) => {
  it("reads the same after any number of moves as a log that stays in the database", async () => {
    const random = createRandom(7);
    const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)] as Value;
    const [kept, moving] = [await openTestStore(kind), await openTestStore(kind)];
    const reference = await openTestPredictions(kept.store);
    const predictions = await openTestPredictions(moving.store);
    const ids: string[] = [];
    for (let round = 0; round < 12; round++) {
      const rows = Array.from({ length: 40 }, () =>
        makePrediction({
          modelVersionId: pick(["m1", "m2"]),
          arm: pick(["stable", "stable", "candidate", "shadow"]),
          // Several of one time, days apart, before 1970, and out of order.
          atMs: pick([0, -1, -5 * 24, 1, 30, 24 * 400]) * HOUR_MS + Math.floor(random() * 4),
          receivedAtMs: round * HOUR_MS,
          requestId: pick(AWKWARD),
          features: JSON.stringify({ distance: random() < 0.1 ? null : random() * 1e6, origin: pick(AWKWARD) }),
          context: random() < 0.5 ? undefined : JSON.stringify({ airline: pick(AWKWARD) }),
          prediction: pick([0.1 + 0.2, 1e-300, -0.5, undefined]),
          predictionText: pick([undefined, ...AWKWARD]),
          entityKey: pick([undefined, "e1", "e2", ...AWKWARD]),
          featureStatus: pick([undefined, '{"a":"NOT_FOUND"}']),
          propensity: pick([undefined, 0.1, 0.9]),
        }),
      );
      ids.push(...rows.map(({ id }) => id));
      const labels = Array.from({ length: 15 }, () => {
        const label = pick([0, 1, 0.5, "late", "É'"]);
        const atMs = pick([undefined, 0, 40 * HOUR_MS, -HOUR_MS]);
        return random() < 0.5
          ? { id: random() < 0.1 ? "unknown" : pick(ids), label }
          : { entityKey: pick(["e1", "e2", "e3", ...AWKWARD]), label, ...(atMs === undefined ? {} : { atMs }) };
      });
      for (const { store } of [kept, moving]) await store.write((transaction) => recordPredictions(transaction, rows));
      if (round % 3 === 1) await predictions.move(ALL);
      const batch = { ...KEY, labels, receivedAtMs: 1000 + round, actor: "ana" };
      const reports = [await reference.recordLabels(batch), await predictions.recordLabels(batch)];
      const byValue = ({ outcomes, ...report }: (typeof reports)[number]) => ({
        ...report,
        outcomes: outcomes.map((each) => JSON.stringify(each)).sort(),
      });
      assert.deepEqual(byValue(reports[1]!), byValue(reports[0]!));
      // The older half alone, or everything.
      if (round % 3 === 2) await predictions.move({ ...ALL, ageMs: Date.now() - (round / 2) * HOUR_MS });
      await assertSame();
    }
    await predictions.move(ALL);
    await assertSame();
    assert.deepEqual(await readReference(moving.store), [], "the database was left by all");

    async function assertSame(): Promise<void> {
      const queries = [
        {},
        { labelled: true },
        { labelled: false },
        { modelVersionId: "m2" },
        { modelVersionId: "m1", labelled: true },
        { modelVersionId: "m1", labelled: false },
        { entityKey: "e1" },
        { fromMs: -HOUR_MS, toMs: HOUR_MS + 2 },
        { fromMs: 0, toMs: 2, labelled: false },
      ];
      for (const query of queries)
        assert.deepEqual(
          (await listAll(predictions, { ...KEY, ...query, limit: 37 })).map(String2),
          (await readReference(kept.store, query)).map(String2),
          JSON.stringify(query),
        );
      const all = await readReference(kept.store);
      assert.deepEqual(await scanAll(predictions, -1e12, 1e13), all.toReversed().map(toScanLine));
      for (const id of [ids[0], ids.at(-1), ids[Math.floor(ids.length / 2)]])
        assert.deepEqual(
          await predictions.get(id ?? ""),
          all.find((each) => each.id === id),
        );
      const totals = await Promise.all(
        [kept, moving].map(({ store }) => store.read((transaction) => listPredictionTotals(transaction, KEY))),
      );
      assert.deepEqual(totals[1], totals[0]);
      const arm = { ...KEY, modelVersionId: "m1", arms: ["stable"] as const, afterId: "", limit: 1000 };
      const labelled = await Promise.all(
        [kept, moving].map(({ store }) => store.read((transaction) => listLabelled(transaction, arm))),
      );
      assert.deepEqual(labelled[1], labelled[0]);
    }
    function String2(each: Prediction): string {
      return JSON.stringify(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1)));
    }
  });

  it("shows a row once, with its label, wherever a move ends", async () => {
    const { store } = await openTestStore(kind);
    const predictions = await openTestPredictions(store);
    const rows = Array.from({ length: 30 }, (_, row) => makePrediction({ atMs: row, entityKey: `e${row}` }));
    await store.write((transaction) => recordPredictions(transaction, rows));
    await predictions.recordLabels({
      ...KEY,
      labels: [{ id: rows[3]!.id, label: 1 }],
      receivedAtMs: 5,
      actor: "ana",
    });
    await predictions.move(ALL);
    // As it stands when a mover was killed between showing the version and taking its rows out of the database.
    await store.write((transaction) => recordPredictions(transaction, rows.slice(10, 20)));
    await store.write((transaction) =>
      transaction.updateTable("prediction_history").set({ cleared_version: -1 }).execute(),
    );
    const check = async (labelled: readonly number[]): Promise<void> => {
      const all = await listAll(predictions, { ...KEY, limit: 7 });
      assert.deepEqual(
        all.map(({ id }) => id),
        rows.map(({ id }) => id).toReversed(),
      );
      assert.deepEqual(
        all.flatMap(({ atMs, label }) => (label === undefined ? [] : [atMs])).sort((left, right) => left - right),
        labelled,
      );
      const known = await listAll(predictions, { ...KEY, limit: 7, labelled: true });
      assert.deepEqual(known.map(({ atMs }) => atMs).toReversed(), labelled);
      const unknown = await listAll(predictions, { ...KEY, limit: 7, labelled: false });
      assert.equal(unknown.length, rows.length - labelled.length);
      assert.equal((await scanAll(predictions, 0, 100)).length, rows.length);
    };
    await check([3]);
    await predictions.recordLabels({
      ...KEY,
      labels: [
        { id: rows[12]!.id, label: 1 },
        { entityKey: "e15", label: 0 },
        { entityKey: "e25", label: 0 },
      ],
      receivedAtMs: 6,
      actor: "ana",
    });
    await check([3, 12, 15, 25]);
    await predictions.move({ ...ALL, unless: { rows: 1000, waitMs: 1e15 } });
    await check([3, 12, 15, 25]);
    assert.deepEqual(await readReference(store), [], "a move that was killed is ended by the next one");
  });

  it("takes a version that nobody was told of for what it is", async () => {
    const { store } = await openTestStore(kind);
    const predictions = await openTestPredictions(store);
    const rows = Array.from({ length: 20 }, (_, row) => makePrediction({ atMs: row }));
    await store.write((transaction) => recordPredictions(transaction, rows));
    await predictions.move(ALL);
    // As it stands when a mover was killed right after its commit: readers know nothing, the rows are in the database.
    await store.write((transaction) => recordPredictions(transaction, rows));
    await store.write((transaction) =>
      transaction.updateTable("prediction_history").set({ cleared_version: -1, delta_version: -1 }).execute(),
    );
    assert.equal((await listAll(predictions, { ...KEY })).length, 20);
    const [moved] = await predictions.move(ALL);
    assert.equal(moved?.rows, 20, "the rows were not written a second time");
    assert.equal((await listAll(predictions, { ...KEY })).length, 20);
    assert.deepEqual(await readReference(store), []);
  });

  it("lets two that move at the same time move each row once", async () => {
    const { store } = await openTestStore(kind);
    const first = await openTestPredictions(store);
    const second = await openTestPredictions(store, { folder: join(first.folder, "..") });
    const rows = Array.from({ length: 3000 }, (_, row) => makePrediction({ atMs: row }));
    await store.write((transaction) => recordPredictions(transaction, rows));
    await Promise.all([first, second, first, second].map((each) => each.move(ALL)));
    await Promise.all([first, second].map((each) => each.move(ALL)));
    assert.equal((await listAll(first, { ...KEY, limit: 1000 })).length, rows.length);
    const { rows: inTable } = (await first.move(ALL))[0]!;
    assert.equal(inTable, rows.length);
  });

  it("makes few files of many, and reads the same", async () => {
    const { store } = await openTestStore(kind);
    const predictions = await openTestPredictions(store);
    const rows = Array.from({ length: 40 }, (_, row) => makePrediction({ atMs: row * 1000 }));
    let files = 0;
    for (const row of rows) {
      await store.write((transaction) => recordPredictions(transaction, [row]));
      files = (await predictions.move(ALL))[0]?.files ?? 0;
    }
    assert.ok(files < 16, `${files} files`);
    assert.deepEqual(
      (await listAll(predictions, { ...KEY, limit: 9 })).map(({ id }) => id),
      rows.map(({ id }) => id).toReversed(),
    );
    const before = await parquetFiles(predictions.folder);
    const vacuumed = await predictions.vacuum({ project: "p", retentionMs: 0, dryRun: false, signal });
    assert.deepEqual(vacuumed[0]?.removed, [], "what is younger than an hour stays");
    assert.ok(before > files);
  });

  it("forgets files whose predictions are all old, and their labels", async () => {
    const { store } = await openTestStore(kind);
    const predictions = await openTestPredictions(store);
    const day = 86_400_000;
    const rows = Array.from({ length: 20 }, (_, row) =>
      makePrediction({ atMs: row < 10 ? row : day + row, receivedAtMs: row < 10 ? row : day + row }),
    );
    for (const part of [rows.slice(0, 10), rows.slice(10)]) {
      await store.write((transaction) => recordPredictions(transaction, part));
      await predictions.move(ALL);
    }
    const labels = rows.map(({ id }) => ({ id, label: 1 }));
    await predictions.recordLabels({ ...KEY, labels, receivedAtMs: 5, actor: "ana" });
    assert.equal(await predictions.expire({ project: "p", beforeMs: day, signal }), 10);
    assert.equal(await predictions.expire({ project: "p", beforeMs: day, signal }), 0);
    assert.deepEqual(
      (await listAll(predictions, { ...KEY })).map(({ id }) => id),
      rows
        .slice(10)
        .map(({ id }) => id)
        .toReversed(),
    );
    assert.equal((await listAll(predictions, { ...KEY, labelled: true })).length, 10);
    assert.equal(await predictions.get(rows[0]!.id), undefined);
  });

  it("says what is wrong when a file of the history is gone", async () => {
    const { store } = await openTestStore(kind);
    const predictions = await openTestPredictions(store);
    await store.write((transaction) => recordPredictions(transaction, [makePrediction()]));
    await predictions.move(ALL);
    for (const name of await readdir(predictions.folder, { recursive: true }))
      if (name.endsWith(".parquet")) await rm(join(predictions.folder, name));
    await assert.rejects(predictions.list(KEY), /parquet/);
  });

  it("keeps what is moved apart by endpoint, whatever their names", async () => {
    const { store } = await openTestStore(kind);
    const predictions = await openTestPredictions(store);
    const names = ["a/b", "..", ".", "a b", "A", "a%2Fb"];
    const rows = names.map((endpoint) => makePrediction({ endpoint }));
    await store.write((transaction) => recordPredictions(transaction, rows));
    const moved = await predictions.move(ALL);
    assert.equal(new Set(moved.map(({ folder }) => folder)).size, names.length);
    for (const { folder } of moved) assert.doesNotMatch(folder, /\/\.\.?(\/|$)/);
    for (const row of rows) {
      assert.deepEqual(
        (await predictions.list({ ...KEY, endpoint: row.endpoint })).map(({ id }) => id),
        [row.id],
      );
      assert.equal((await predictions.get(row.id))?.endpoint, row.endpoint);
    }
  });

  it("does nothing while little is due", async () => {
    const { store } = await openTestStore(kind);
    const predictions = await openTestPredictions(store);
    await store.write((transaction) => recordPredictions(transaction, [makePrediction({ receivedAtMs: Date.now() })]));
    const unless = { rows: 2, waitMs: HOUR_MS };
    assert.deepEqual(await predictions.move({ ...ALL, unless }), []);
    assert.equal(await store.read((transaction) => getPredictionHistory(transaction, KEY)), undefined);
    await store.write((transaction) => recordPredictions(transaction, [makePrediction({ receivedAtMs: 1 })]));
    await store.write((transaction) => clearMoved(transaction, ["nothing"]));
    assert.equal((await predictions.move({ ...ALL, unless }))[0]?.moved, 2);
  });
});

async function parquetFiles(folder: string): Promise<number> {
  return (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".parquet")).length;
}
