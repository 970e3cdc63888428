import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { it } from "node:test";
import { createSensing } from "#data";
import {
  claimSensor,
  listNextSensors,
  listPauses,
  listPipelineRuns,
  listSensors,
  pausePipeline,
  type Sensor,
  settleSensor,
  unpausePipeline,
} from "#metadata-store/engine";
import type { Sensing } from "#pipeline";
import { createTestProject, type TestProject, testPorts } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const PIPELINE = `on:
  file: { files: "in/*.csv", every: 1s, settle: 0 }
steps:
  take: { run: "cat $FILE >> taken.txt", env: { FILE: "\${{ trigger.file }}" }, cache: false }
`;

/** Files alone: what rows would be read with is not asked. */
function sensingOf(project: TestProject): Sensing {
  return createSensing({
    project: "p",
    projectFolder: project.projectFolder,
    captureFolders: [],
    captureHosts: [],
    secret: () => undefined,
    store: project.store,
    analytics: undefined as never,
    datasets: undefined as never,
  });
}

const working = (project: TestProject, sensing: Sensing = sensingOf(project)) =>
  project.engine({ ports: { ...testPorts, sensing } });

const onlySensor = async ({ store }: TestProject): Promise<Sensor> => {
  const [sensor] = await store.read((transaction) => listSensors(transaction, { project: "p" }));
  return sensor ?? assert.fail("there is no sensor");
};

const runsOf = ({ store }: TestProject) =>
  store.read((transaction) => listPipelineRuns(transaction, { project: "p", limit: 100 }));

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 120_000; !(await holds());) {
    assert.ok(Date.now() < end, "it did not come");
    await wait(50);
  }
}

describeStores("sensors", (kind) => {
  it("start one run for a file that comes, although two engines look, and tell the run which", async () => {
    const project = await createTestProject(kind, { "pipelines/p.yaml": PIPELINE, "in/old.csv": "old\n" });
    await project.register();
    const engines = [working(project), working(project)];
    for (const engine of engines) await engine.start();
    await until(async () => (await onlySensor(project)).checkedAtMs !== undefined);
    for (const name of ["one", "two", "three"]) {
      const before = (await runsOf(project)).length;
      await project.write(`in/${name}.csv`, `${name}\n`);
      await until(async () => (await runsOf(project)).length > before);
    }
    await until(async () => (await runsOf(project)).every(({ status }) => status === "succeeded"));
    const { checkedAtMs = 0 } = await onlySensor(project);
    await until(async () => ((await onlySensor(project)).checkedAtMs ?? 0) > checkedAtMs + 1500);
    const runs = await runsOf(project);
    assert.deepEqual(
      runs.map(({ trigger }) => [trigger.kind, trigger.subject, trigger.cause["files"]]).toReversed(),
      ["one", "two", "three"].map((name) => ["sensor", "files in/*.csv", [`in/${name}.csv`]]),
    );
    const sensor = await onlySensor(project);
    assert.deepEqual([sensor.fireCount, sensor.firedRun, sensor.error], [3, runs[0]?.id, undefined]);
  });

  it("remember what they saw: a file that came while nobody looked starts a run of the next engine", async () => {
    const project = await createTestProject(kind, { "pipelines/p.yaml": PIPELINE });
    await project.register();
    const first = working(project);
    await first.start();
    await until(async () => (await onlySensor(project)).checkedAtMs !== undefined);
    await first.stop();
    await project.write("in/late.csv", "late\n");
    await working(project).start();
    await until(async () => (await runsOf(project)).length === 1);
  });

  it("write nothing when another has looked since", async () => {
    const project = await createTestProject(kind, { "pipelines/p.yaml": PIPELINE });
    await project.register();
    const seen = await onlySensor(project);
    const claims = await Promise.all(
      [1, 2].map(() => project.store.write((transaction) => claimSensor(transaction, seen, 1))),
    );
    assert.equal(claims.filter((revision) => revision !== undefined).length, 1);
    const [revision = 0] = claims.filter((one) => one !== undefined);
    const look = { atMs: 5, nextAtMs: 6, state: { kind: "file" } };
    const later = await project.store.write((transaction) => claimSensor(transaction, { ...seen, revision }, 2));
    assert.equal(
      await project.store.write((transaction) => settleSensor(transaction, { ...seen, revision }, look)),
      false,
    );
    assert.equal(
      await project.store.write((transaction) =>
        settleSensor(transaction, { ...seen, revision: later ?? assert.fail() }, look),
      ),
      true,
    );
  });

  it("show why they cannot look, go on looking, and lose nothing meanwhile", async () => {
    const project = await createTestProject(kind, { "pipelines/p.yaml": PIPELINE });
    await project.register();
    const real = sensingOf(project);
    let isBroken = false;
    const engine = working(project, {
      ...real,
      look: (...args) => (isBroken ? Promise.reject(new Error("the share is gone")) : real.look(...args)),
    });
    await engine.start();
    await until(async () => (await onlySensor(project)).checkedAtMs !== undefined);
    isBroken = true;
    await until(async () => (await onlySensor(project)).error?.message === "the share is gone");
    await project.write("in/a.csv", "a\n");
    isBroken = false;
    await until(async () => (await runsOf(project)).length === 1);
    assert.equal((await onlySensor(project)).error, undefined);
    const types = await project.store.read((transaction) =>
      transaction.selectFrom("event").select("type").where("type", "like", "sensor.%").orderBy("sequence").execute(),
    );
    assert.deepEqual(
      types.map(({ type }) => type),
      ["sensor.failed", "sensor.recovered"],
    );
  });

  it("do not look while their pipeline is paused, and see afterwards what came", async () => {
    const project = await createTestProject(kind, { "pipelines/p.yaml": PIPELINE });
    await project.register();
    const change = { project: "p", pipeline: "p", actor: "ana", atMs: 1 };
    const engine = working(project);
    await engine.start();
    await until(async () => (await onlySensor(project)).checkedAtMs !== undefined);
    for (const reason of ["repair", "again"])
      await project.store.write((transaction) => pausePipeline(transaction, { ...change, reason }));
    await project.write("in/a.csv", "a\n");
    const paused = await project.store.read((transaction) => listPauses(transaction, "p"));
    assert.equal(paused.get("p")?.reason, "repair");
    assert.deepEqual(await project.store.read((transaction) => listNextSensors(transaction, "p")), []);
    assert.deepEqual(await runsOf(project), []);
    await project.store.write((transaction) => unpausePipeline(transaction, change));
    await until(async () => (await runsOf(project)).length === 1);
  });
});
