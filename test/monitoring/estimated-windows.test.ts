import assert from "node:assert/strict";
import { after, it } from "node:test";
import { digestOf, silentLog, systemClock } from "#base";
import { recordAssetVersion } from "#metadata-store";
import { listWindows, type MonitorScore } from "#metadata-store/monitoring";
import type { DatasetReader } from "#models";
import { createMonitoring } from "#monitoring";
import { createOutbox } from "#outbox";
import { sourceOfRecords } from "#serving";
import { deploy, readCase, registerModel, startServing } from "../serving/served.ts";
import { openTestPredictions } from "../setup/predictions.ts";
import { describeStores } from "../setup/stores.ts";
import { createRandom, KEY, MONDAY_MS, WEEK_MS } from "./watched.ts";

type Row = Readonly<Record<string, string | number>>;

/** Serves a model, plays one week without labels, then gives them; the scores before and after. */
async function playWeek(
  kind: Parameters<Parameters<typeof describeStores>[1]>[0],
  model: string,
  make: {
    readonly held: (row: number) => Row;
    readonly current: (row: number) => Row;
    readonly label: string;
    readonly change?: object;
    readonly monitors: string;
  },
): Promise<{ readonly before: readonly MonitorScore[]; readonly after: readonly MonitorScore[] }> {
  const test = await startServing(kind);
  const { store, serving } = test;
  const { label } = make;
  const held = Array.from({ length: 3000 }, (_, row): Row => ({
    ...make.held(row),
    split: row < 1500 ? "train" : "test",
  }));
  const datasets: DatasetReader = {
    readColumns: async (_version, { columns, where = {} }) => {
      const kept = held.filter((row) => Object.entries(where).every(([name, value]) => row[name] === value));
      return {
        rowCount: kept.length,
        columns: new Map(columns.map((name) => [name, kept.map((row) => row[name] ?? null)])),
      };
    },
    describe: async () => Object.keys(held[0] ?? {}).map((name) => ({ name, type: "VARCHAR" })),
    files: async () => [],
  };
  const { version: training } = await store.write((transaction) =>
    recordAssetVersion(transaction, {
      project: "p",
      asset: "training_set",
      kind: "data",
      digest: digestOf("training"),
      madeAtMs: systemClock.now(),
      actor: "ana",
      content: {},
      inputs: [],
    }),
  );
  const record = {
    training: { versionId: training.id, asset: "training_set", kind: "data", version: 1, digest: training.digest },
  };
  await deploy(
    serving,
    await registerModel(test, model, {
      ...(make.change === undefined ? {} : { change: make.change }),
      record,
      inputs: [{ versionId: training.id, role: "input" }],
    }),
  );
  const outbox = createOutbox({ store, log: silentLog, clock: systemClock });
  after(() => outbox.close());
  const monitoring = createMonitoring({
    outbox,
    store,
    predictions: await openTestPredictions(store),
    datasets,
    scorer: serving.scorer,
    log: silentLog,
  });
  await monitoring.saveMonitors("p", new Map([["monitors/delay.yaml", make.monitors]]));
  const rows = Array.from({ length: 1000 }, (_, row) => make.current(row));
  const { predictionIds } = await serving.endpoints.predict(KEY, {
    source: sourceOfRecords(rows.map(({ [label]: _label, ...inputs }) => inputs)),
    atMs: rows.map((_, row) => MONDAY_MS + Math.floor((row / rows.length) * WEEK_MS)),
    entityKeys: rows.map((_, row) => `r${row}`),
  });
  const scores = async (): Promise<readonly MonitorScore[]> => {
    await monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    const [window] = await store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    return window?.scores ?? [];
  };
  const before = await scores();
  await monitoring.recordLabels({
    ...KEY,
    actor: "ana",
    untilMs: undefined,
    labels: rows.map((row, index) => ({ id: predictionIds[index], label: row[label] ?? 0 })),
  });
  return { before, after: await scores() };
}

const find = (scores: readonly MonitorScore[], metric: string): MonitorScore | undefined =>
  scores.find((score) => score.metric === metric && score.segment === "");
const bandOf = (score: MonitorScore | undefined): readonly [number, number] => {
  const { low = NaN, high = NaN }: { readonly low?: number; readonly high?: number } = score?.method ?? {};
  return [low, high];
};

describeStores("estimated performance of a window", (kind) => {
  it("of a regression is near what the labels say later, and is judged before they come", async () => {
    const random = createRandom(3);
    const make = (hour: number): Row => {
      const distance = 100 + random() * 2400;
      // Late hours are predicted badly.
      return { distance, hour, delay: distance * 0.12 + hour + (random() - 0.5) * (hour > 12 ? 120 : 20) };
    };
    const { before, after: labelled } = await playWeek(kind, "delay-regression", {
      held: () => make(Math.floor(random() * 24)),
      label: "delay",
      current: () => make(13 + Math.floor(random() * 11)),
      monitors:
        "endpoint: delay\nmonitors:\n  early: { performance: { metric: mae, estimated: true, deviations: 3 } }\n",
    });
    const [estimated, truth] = [find(before, "estimated_mae"), find(labelled, "mae")];
    assert.equal(find(before, "mae"), undefined);
    assert.ok(
      Math.abs((estimated?.value ?? NaN) / (truth?.value ?? NaN) - 1) < 0.1,
      `${estimated?.value} ${truth?.value}`,
    );
    assert.ok((truth?.value ?? 0) > 1.2 * (truth?.baseline ?? Infinity));
    const [low, high] = bandOf(truth);
    assert.ok(low < (truth?.value ?? NaN) && high > (truth?.value ?? NaN));
    assert.equal(estimated?.breached, true);
    assert.match(JSON.stringify(estimated?.method), /"name":"DLE"/);
  });

  it("of several classes is computed from probabilities of the logged inputs", async () => {
    const random = createRandom(5);
    const { rows, predicted } = await readCase("part-of-day");
    const make =
      (wrong: number) =>
      (row: number): Row => {
        const index = row % rows.length;
        const other = Math.floor(random() * rows.length);
        return { ...rows[index], part: predicted[random() < wrong ? other : index] ?? "" };
      };
    const { before, after: labelled } = await playWeek(kind, "part-of-day", {
      held: make(0.3),
      label: "part",
      // In the order of the model's probabilities.
      change: { classes: [...new Set(predicted)].toSorted((left, right) => (left < right ? -1 : 1)) },
      current: make(0.3),
      monitors:
        "endpoint: delay\nmonitors:\n  early: { performance: { metric: accuracy, estimated: true, at_least: 0.1 } }\n",
    });
    for (const metric of ["accuracy", "f1", "precision", "recall"]) {
      const [estimated, truth] = [find(before, `estimated_${metric}`), find(labelled, metric)];
      assert.ok(
        Math.abs((estimated?.value ?? NaN) - (truth?.value ?? NaN)) < 0.05,
        `${metric}: ${estimated?.value} against ${truth?.value}`,
      );
    }
    assert.equal(find(before, "estimated_accuracy")?.breached, false);
  });
});
