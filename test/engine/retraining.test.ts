import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { it } from "node:test";
import { fireTrigger } from "#engine";
import type { Clock } from "#base";
import { systemClock } from "#base";
import { listPipelineRuns, listRetrainingEvents, type RetrainingEvent } from "#metadata-store/engine";
import type { StoreKind } from "#metadata-store";
import { changeAlert, openAlert } from "#metadata-store/monitoring";
import { createTestProject, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const DAY_MS = 86_400_000;
const ORDERS = "steps:\n  orders: { run: mkdir -p out && cp in.txt out, makes: { code: out }, files: in.txt }\n";

const TRAIN = (policy: string, on = "alert: shop.*"): string => `on: { ${on} }
retrain: ${policy}
params: { days: 30 }
steps:
  shop: { run: 'echo "\${{ params.days }}" >> ../../trained.txt; mkdir -p m && cat $ESTEIRA_CONTEXT > m/c.txt', makes: { code: m }, inputs: [orders], cache: false }
`;

interface Shop extends TestProject {
  readonly clock: Clock;
  forward(ms: number): void;
  run(pipeline: string): Promise<void>;
  /** Opens an alert and fires what monitoring fires with it; ids of the runs that answer. */
  alert(column: string): Promise<{ readonly id: string; readonly runs: readonly string[] }>;
  close(id: string): Promise<void>;
  events(): Promise<readonly RetrainingEvent[]>;
  runs(): Promise<readonly string[]>;
}

async function open(kind: StoreKind, train: string): Promise<Shop> {
  const project = await createTestProject(kind, {
    "pipelines/orders.yaml": ORDERS,
    "pipelines/train.yaml": train,
    "in.txt": "1\n",
  });
  let ahead = 0;
  const clock: Clock = { now: () => systemClock.now() + ahead, monotonic: systemClock.monotonic };
  const { store } = project;
  const place = { project: "p", environment: "production", endpoint: "shop" };
  await project.register();
  return {
    ...project,
    clock,
    forward: (ms) => void (ahead += ms),
    async run(pipeline) {
      const engine = project.engine({ clock });
      const run = await engine.runToEnd(await engine.submit({ pipeline, actor: "ana" }));
      await engine.stop();
      assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    },
    alert: (column) =>
      store.write(async (transaction) => {
        const atMs = clock.now();
        const { alert } = await openAlert(transaction, {
          ...place,
          monitor: "shop.drift",
          metric: "drift.psi",
          subject: column,
          segment: "",
          value: 1,
          threshold: 0.1,
          windowStartMs: atMs,
          windowEndMs: atMs + 1,
          n: 1,
          modelVersionId: undefined,
          message: "it drifted",
          atMs,
          targets: [],
        });
        const runs = await fireTrigger(transaction, {
          project: "p",
          on: "alert",
          subject: "shop.drift",
          cause: { alerts: [{ id: alert.id }] },
          atMs,
          actor: "engine",
        });
        return { id: alert.id, runs };
      }),
    close: (id) =>
      store.write(async (transaction) => {
        await changeAlert(transaction, { project: "p", id, state: "closed", actor: "engine", atMs: clock.now() });
      }),
    events: async () =>
      (
        await store.read((transaction) =>
          listRetrainingEvents(transaction, { project: "p", pipeline: "train", limit: 100 }),
        )
      ).toReversed(),
    runs: async () =>
      (
        await store.read((transaction) =>
          listPipelineRuns(transaction, { project: "p", pipeline: "train", limit: 100 }),
        )
      ).map(({ trigger, status }) => `${trigger.kind} ${status}`),
  };
}

async function until(holds: () => Promise<boolean>, shop?: Shop): Promise<void> {
  for (const end = Date.now() + 60_000; !(await holds());) {
    assert.ok(Date.now() < end, `it did not come ${JSON.stringify([await shop?.runs(), await shop?.events()])}`);
    await wait(50);
  }
}

const told = (events: readonly RetrainingEvent[]): readonly string[] =>
  events.map(({ type, data }) =>
    [type.slice("retraining.".length), ...data.reasons.map(({ kind }) => kind), data.waiting.length].join(" "),
  );

describeStores("a policy for training again", (kind) => {
  it("does not train while there is nothing new to read, says since which versions, and trains when there is", async () => {
    const shop = await open(kind, TRAIN("{ params: { days: 7 } }"));
    await shop.run("orders");
    await shop.run("train");
    const { id, runs } = await shop.alert("amount");
    assert.deepEqual(runs, []);
    const [waited] = await shop.events();
    assert.deepEqual(waited?.data.reasons, [{ kind: "nothing_new", since: [{ asset: "orders", version: 1 }] }]);
    const engine = shop.engine({ clock: shop.clock });
    await engine.start();
    await shop.write("in.txt", "2\n");
    await engine.submit({ pipeline: "orders", actor: "ana" });
    await until(async () => (await shop.runs()).join() === "alert succeeded,manual succeeded");
    const events = await shop.events();
    assert.deepEqual(told(events), ["waited nothing_new 1", "started 0"]);
    const [run] = await shop.store.read((transaction) =>
      listPipelineRuns(transaction, { project: "p", pipeline: "train", limit: 1 }),
    );
    assert.deepEqual(run?.params, { days: 7 });
    const [alert] = await shop.store.read((transaction) =>
      transaction.selectFrom("alert").select("triggered").where("id", "=", id).execute(),
    );
    assert.deepEqual(JSON.parse(alert?.triggered ?? ""), [run?.id]);
  });

  it("trains no more often than it says, and makes up for it when it may, once, by two engines", async () => {
    const shop = await open(kind, TRAIN("{ at_most: 1 per 7d }"));
    await shop.run("orders");
    assert.equal((await shop.alert("amount")).runs.length, 1);
    const engines = [shop.engine({ clock: shop.clock }), shop.engine({ clock: shop.clock })];
    for (const engine of engines) await engine.start();
    await until(async () => (await shop.runs()).join() === "alert succeeded");
    await shop.write("in.txt", "2\n");
    await engines[0]?.submit({ pipeline: "orders", actor: "ana" });
    await until(async () => (await countOf(shop, "orders")) === 2, shop);
    assert.deepEqual((await shop.alert("country")).runs, []);
    assert.deepEqual((await shop.alert("price")).runs, []);
    const waited = (await shop.events()).at(-1);
    const [reason] = waited?.data.reasons ?? [];
    assert.deepEqual([reason?.kind, waited?.data.waiting.length], ["at_most", 2]);
    const [first] = await shop.events();
    assert.equal(reason?.untilMs, (first?.atMs ?? 0) + 7 * DAY_MS);
    shop.forward(7 * DAY_MS);
    // A change of the store wakes the engines; runs of a clock that is ahead of the database's are queued, not taken.
    await shop.write("in.txt", "3\n");
    await engines[0]?.submit({ pipeline: "orders", actor: "ana" });
    await until(async () => (await shop.runs()).length === 2, shop);
    for (const engine of engines) await engine.stop();
    assert.deepEqual(told(await shop.events()).slice(-2), ["waited at_most 2", "started 0"]);
    assert.equal((await shop.runs()).length, 2);
  });

  it("spends no more than its budget, and says when it may again", async () => {
    const shop = await open(kind, TRAIN("{ budget: 1ms per 30d }"));
    await shop.run("orders");
    assert.equal((await shop.alert("amount")).runs.length, 1);
    const engine = shop.engine({ clock: shop.clock });
    await engine.start();
    await until(async () => (await shop.runs()).join() === "alert succeeded");
    await engine.stop();
    await shop.write("in.txt", "2\n");
    await shop.run("orders");
    const { id, runs } = await shop.alert("country");
    assert.deepEqual(runs, []);
    const [reason] = (await shop.events()).at(-1)?.data.reasons ?? [];
    assert.equal(reason?.kind, "budget");
    assert.ok((reason?.untilMs ?? 0) > shop.clock.now() + 29 * DAY_MS);
    await shop.close(id);
    const other = shop.engine({ clock: shop.clock });
    await other.start();
    await until(async () => told(await shop.events()).at(-1) === "withdrawn budget 0");
  });

  it("skips the tick of a schedule that may not train, and leaves a person free", async () => {
    const shop = await open(kind, TRAIN("{ at_most: 1 per 1d }", 'schedule: "* * * * *"'));
    await shop.run("orders");
    const engine = shop.engine({ clock: shop.clock });
    await engine.start();
    shop.forward(120_000);
    await engine.submit({ pipeline: "orders", actor: "ana" });
    await until(async () => (await shop.runs()).length === 1, shop);
    shop.forward(120_000);
    await engine.submit({ pipeline: "orders", actor: "ana" });
    await until(async () => told(await shop.events()).some((line) => /^skipped .*at_most 0$/.test(line)), shop);
    await engine.submit({ pipeline: "train", actor: "ana" });
    assert.match((await shop.runs()).join(), /^manual \w+,schedule \w+$/);
  });

  it("is checked where it is written", async () => {
    const project = await createTestProject(kind, {
      "pipelines/a.yaml": "on: { alert: x.y }\nretrain: { at_most: weekly }\nsteps: { a: { run: echo } }\n",
      "pipelines/b.yaml": "retrain: { at_most: 1 per 7d }\nsteps: { b: { run: echo } }\n",
      "pipelines/c.yaml":
        "on: { alert: x.y }\nparams: { days: 1 }\nretrain: { params: { day: 2 } }\nsteps: { c: { run: echo } }\n",
      "pipelines/e.yaml":
        "on: { alert: x.y }\nparams: { days: 1 }\nretrain: { params: { days: many } }\nsteps: { e: { run: echo } }\n",
      "pipelines/d.yaml": "on: { alert: x.y }\nretrain: { budget: 0h per 7d }\nsteps: { d: { run: echo } }\n",
    });
    const { problems } = await project.load();
    assert.deepEqual(
      problems.map(({ file, line, message }) => [file.slice(-6, -5), line, message]),
      [
        ["a", 2, "expected a number and a time, such as `1 per 7d`"],
        ["b", 1, "nothing starts this pipeline by itself, so the policy never acts"],
        ["c", 3, 'the pipeline has no param "day"'],
        ["d", 2, "expected two times, such as `2h per 30d`"],
        ["e", 3, 'found "many", expected a number'],
      ],
    );
  });
});

async function countOf({ store }: TestProject, pipeline: string): Promise<number> {
  const runs = await store.read((transaction) => listPipelineRuns(transaction, { project: "p", pipeline, limit: 100 }));
  return runs.filter(({ status }) => status === "succeeded").length;
}
