import assert from "node:assert/strict";
import { it } from "node:test";
import type { MetadataStore } from "#metadata-store";
import {
  claimStepRuns,
  endAttempt,
  explainWaits,
  holdAttempt,
  listAllStepRuns,
  listPools,
  listQueue,
  renewLeases,
} from "#metadata-store/engine";
import { registerPools } from "#engine";
import { createTestProject, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const claimOf = (owner: string, limit = 10) => ({
  project: "p",
  owner,
  limit,
  leaseMs: 3_600_000,
  atMs: Date.now(),
});

const take = (store: MetadataStore, owner: string, limit = 10) =>
  store.write((transaction) => claimStepRuns(transaction, claimOf(owner, limit)));

const end = (store: MetadataStore, { attemptId, token }: { readonly attemptId: string; readonly token: number }) =>
  store.write(async (transaction) => {
    const held = await holdAttempt(transaction, { attemptId, token });
    assert.ok(held !== undefined);
    await endAttempt(transaction, held, { attempt: "succeeded", stepRun: "succeeded", end: "succeeded", atMs: 1 });
  });

const pools = (project: TestProject, slots: Readonly<Record<string, number>>) =>
  registerPools(project.store, {
    project: "p",
    pools: Object.fromEntries(Object.entries(slots).map(([name, count]) => [name, { slots: count }])),
    atMs: 1,
  });

const steps = (taken: readonly { readonly step: string }[]): readonly string[] => taken.map(({ step }) => step);

describeStores("pools", (kind) => {
  const start = async (pipelines: Readonly<Record<string, string>>, slots: Readonly<Record<string, number>>) => {
    const declared = Object.fromEntries(Object.entries(slots).map(([name, count]) => [name, { slots: count }]));
    const project = await createTestProject(
      kind,
      Object.fromEntries(Object.entries(pipelines).map(([name, text]) => [`pipelines/${name}.yaml`, text])),
      [],
      declared,
    );
    await pools(project, slots);
    await project.register();
    return { project, engine: project.engine() };
  };

  it("are shared by steps of all pipelines, and a slot is free when its step has ended", async () => {
    const text = "steps: { s: { run: 'true', pool: db }, t: { run: 'true', pool: db } }\n";
    const { project, engine } = await start({ a: text, b: text }, { db: 3 });
    for (const pipeline of ["a", "b"]) await engine.submit({ pipeline, actor: "ana" });
    const first = await take(project.store, "one");
    assert.equal(first.length, 3);
    assert.deepEqual(await take(project.store, "two"), []);
    const [state] = await project.store.read((transaction) => listPools(transaction, "p"));
    assert.deepEqual([state?.used, state?.waiting, state?.holders.length], [3, 1, 3]);
    const { stepRuns } = await project.store.read((transaction) => listQueue(transaction, { project: "p", limit: 10 }));
    assert.deepEqual(
      stepRuns.map(({ waitsFor }) => [waitsFor.kind, waitsFor.used, waitsFor.limit, waitsFor.holders.length]),
      [["pool", 3, 3, 3]],
    );
    await end(project.store, first[0] ?? assert.fail());
    assert.equal((await take(project.store, "two")).length, 1);
  });

  it("never give more than they have to two engines that claim at once, whatever steps ask for", async () => {
    const many = (count: number, slots: number) =>
      `steps: { s: { run: 'true', pool: db, slots: ${slots}, for_each: ${JSON.stringify([...Array(count).keys()])} } }\n`;
    const { project, engine } = await start({ a: many(12, 1), b: many(6, 2), c: many(4, 3) }, { db: 4 });
    for (const pipeline of ["a", "b", "c"]) await engine.submit({ pipeline, actor: "ana" });
    await engine.start();
    const other = project.engine();
    await other.start();
    let most = 0;
    for (let open = 1; open > 0;) {
      const found = await project.store.read(async (transaction) => ({
        pools: await listPools(transaction, "p"),
        running: await transaction
          .selectFrom("pipeline_run")
          .select("id")
          .where("status", "in", ["queued", "running"])
          .execute(),
      }));
      open = found.running.length;
      const used = found.pools[0]?.used ?? 0;
      assert.ok(used <= 4, `${used} slots of 4`);
      most = Math.max(most, used);
    }
    const all = await project.store.read((transaction) =>
      transaction.selectFrom("step_run").select("status").where("pool", "=", "db").execute(),
    );
    assert.deepEqual(new Set(all.map(({ status }) => status)), new Set(["succeeded"]));
    assert.equal((await project.store.read((transaction) => listPools(transaction, "p")))[0]?.used, 0);
    assert.ok(most > 0);
  });

  it("get a slot back when the lease of a dead engine ends, although nobody ended its attempt", async () => {
    const { project, engine } = await start({ a: "steps: { s: { run: 'true', pool: db } }\n" }, { db: 1 });
    await engine.submit({ pipeline: "a", actor: "ana" });
    const [ghost] = await take(project.store, "ghost");
    assert.ok(ghost !== undefined);
    await project.write("pipelines/b.yaml", "steps: { s: { run: 'true', pool: db } }\n");
    await project.register();
    const id = await engine.submit({ pipeline: "b", actor: "ana" });
    assert.deepEqual(await take(project.store, "other"), []);
    await project.store.write((transaction) => renewLeases(transaction, { id: "ghost", leaseMs: -1 }));
    assert.equal((await engine.runToEnd(id)).status, "succeeded");
  });

  it("let nobody overtake a step that needs more slots than are free", async () => {
    const { project, engine } = await start(
      {
        a: "steps: { s: { run: 'true', pool: db, slots: 2 } }\n",
        b: "steps: { s: { run: 'true', pool: db, slots: 3 } }\n",
        c: "steps: { s: { run: 'true', pool: db } }\n",
      },
      { db: 3 },
    );
    const ids: string[] = [];
    for (const pipeline of ["a", "b", "c"]) ids.push(await engine.submit({ pipeline, actor: "ana" }));
    const [first] = await take(project.store, "one", 1);
    assert.equal(first?.pipeline, "a");
    assert.deepEqual(await take(project.store, "one"), [], "c fits, and b is before it");
    const waits = await project.store.read(async (transaction) => {
      const all = (await Promise.all(ids.map((id) => listAllStepRuns(transaction, id)))).flat();
      const reasons = await explainWaits(transaction, all);
      return all.map(({ id }) => reasons.get(id)?.kind);
    });
    assert.deepEqual(waits, [undefined, "pool", "pool-turn"]);
    await end(project.store, first);
    assert.deepEqual(
      (await take(project.store, "one")).map(({ pipeline }) => pipeline),
      ["b"],
    );
  });

  it("that become smaller give all they have to a step that asks for more; one that is gone keeps steps waiting and says so", async () => {
    const { project, engine } = await start({ a: "steps: { s: { run: 'true', pool: db, slots: 3 } }\n" }, { db: 3 });
    const id = await engine.submit({ pipeline: "a", actor: "ana" });
    await pools(project, {});
    assert.deepEqual(await take(project.store, "one"), []);
    const reasons = await project.store.read(async (transaction) =>
      explainWaits(transaction, await listAllStepRuns(transaction, id)),
    );
    assert.deepEqual(
      [...reasons.values()].map(({ kind: why }) => why),
      ["pool-gone"],
    );
    await pools(project, { db: 2 });
    assert.equal((await take(project.store, "one")).length, 1);
  });

  it("are left in the order of priority: that of the run and of the step together", async () => {
    const { project, engine } = await start(
      {
        low: "priority: -1\nsteps: { s: { run: 'true', pool: db } }\n",
        plain: "steps: { s: { run: 'true', pool: db }, free: { run: 'true' } }\n",
        high: "priority: 5\nsteps: { urgent: { run: 'true', pool: db, priority: 10 }, s: { run: 'true', pool: db } }\n",
      },
      { db: 1 },
    );
    for (const pipeline of ["low", "plain", "high"]) await engine.submit({ pipeline, actor: "ana" });
    await engine.submit({ pipeline: "low", actor: "ana", priority: 100 });
    const order: string[] = [];
    for (;;) {
      const taken = await take(project.store, "one");
      if (taken.length === 0) break;
      for (const each of taken) {
        order.push(`${each.pipeline}.${each.step}`);
        await end(project.store, each);
      }
    }
    assert.deepEqual(order, ["high.urgent", "plain.free", "high.s", "plain.s", "low.s", "low.s"]);
  });

  it("let waiting runs of one pipeline in by priority", async () => {
    const { project, engine } = await start({ a: "steps: { s: { run: 'true' } }\n" }, {});
    const first = await engine.submit({ pipeline: "a", actor: "ana" });
    const second = await engine.submit({ pipeline: "a", actor: "ana" });
    const third = await engine.submit({ pipeline: "a", actor: "ana", priority: 1 });
    const queue = await project.store.read((transaction) => listQueue(transaction, { project: "p", limit: 1 }));
    assert.deepEqual(
      [queue.runCount, queue.runs.map(({ run }) => run.id), queue.runs[0]?.waitsFor.holders[0]?.pipelineRunId],
      [2, [third], first],
    );
    const [one] = await take(project.store, "one");
    await end(project.store, one ?? assert.fail());
    const [next] = await take(project.store, "one");
    assert.deepEqual([next?.pipelineRunId, steps([next ?? assert.fail()])], [third, ["s"]]);
    assert.notEqual(next?.pipelineRunId, second);
  });
});
