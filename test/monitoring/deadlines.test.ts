import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock } from "#base";
import { listLate, pausePipeline } from "#metadata-store/engine";
import { linkTriggeredRuns, listAlerts, listNotices } from "#metadata-store/monitoring";
import { type EnginePorts, getPipelineRun, listPipelineRuns, registerPipelines } from "#engine";
import { closeLate, openLate } from "../../src/monitoring/deadline-alert.ts";
import { createTestProject, type TestProject, testPorts } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const HOUR_MS = 3_600_000;
const ports: EnginePorts = {
  ...testPorts,
  openLate: (transaction, late) => openLate(transaction, late, ["route:night"]),
  closeLate,
  linkLate: linkTriggeredRuns,
};
const later = (ms: number) => ({ ...systemClock, now: () => Date.now() + ms });

const alertsOf = (project: TestProject) =>
  project.store.read((transaction) => listAlerts(transaction, { project: "p", limit: 100 }));

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 60_000; !(await holds());) {
    assert.ok(Date.now() < endMs, `${what}: not within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describeStores("deadlines", (kind) => {
  it("open one alert for a run and its step that are late, however many engines look, and close it at the end", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `deadline: 300ms
steps:
  wait: { run: 'while [ ! -e go ]; do sleep 0.05; done', deadline: 200ms }
  quick: { run: echo quick, deadline: 1h }
`,
      "pipelines/rescue.yaml": "on: { alert: p.deadline }\nsteps: { call: { run: echo called } }\n",
    });
    await project.register();
    const engines = [project.engine({ ports }), project.engine({ ports })];
    await Promise.all(engines.map((engine) => engine.start()));
    const [engine] = engines;
    assert.ok(engine);
    const id = await engine.submit({ pipeline: "p", actor: "ana" });
    await until("two alerts", async () => (await alertsOf(project)).length === 2);
    const opened = await alertsOf(project);
    assert.deepEqual(
      opened.map(({ monitor, subject, segment, state }) => [monitor, subject, segment, state].join("|")).toSorted(),
      [`p.deadline||${id}|open`, `p.deadline|wait|${id}|open`].toSorted(),
    );
    assert.match(opened[0]?.message ?? "", new RegExp(`has not ended [23]00ms after its run ${id} was asked for, by `));
    await until("the rescue", async () =>
      (await listPipelineRuns(project.store, { project: "p", pipeline: "rescue" })).some(
        ({ status, trigger }) => status === "succeeded" && trigger.kind === "alert",
      ),
    );
    await writeFile(join(project.projectFolder, "go"), "");
    assert.equal((await engine.runToEnd(id)).status, "succeeded");
    await until("both closed", async () => (await alertsOf(project)).every(({ state }) => state === "closed"));
    const closed = await alertsOf(project);
    assert.equal(closed.length, 2);
    for (const { closeReason } of closed) assert.match(closeReason ?? "", /^it ended .* late: succeeded$/);
    const notices = await project.store.read((transaction) => listNotices(transaction, closed[0]?.id ?? ""));
    assert.deepEqual(notices.map(({ event }) => event).toSorted(), ["closed", "opened"]);
    assert.deepEqual(await project.store.read((transaction) => listLate(transaction, "p")), []);
  });

  it("are judged by the next engine when none was there, once, and not for runs that ended in time or that backfill", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": "deadline: 30m\nconcurrency: 10\nsteps: { a: { run: 'true' } }\n",
    });
    await project.register();
    const first = project.engine({ ports });
    const inTime = await first.submit({ pipeline: "p", actor: "ana" });
    await first.runToEnd(inTime);
    const late = [
      await first.submit({ pipeline: "p", actor: "ana" }),
      await first.submit({ pipeline: "p", actor: "ana" }),
    ];
    await first.stop();
    const clock = later(HOUR_MS);
    await Promise.all([project.engine({ ports, clock }).start(), project.engine({ ports, clock }).start()]);
    await until("closed", async () => {
      const alerts = await alertsOf(project);
      return alerts.length > 0 && alerts.every(({ state }) => state === "closed");
    });
    const alerts = await alertsOf(project);
    assert.deepEqual(alerts.map(({ segment }) => segment).toSorted(), late.toSorted());
    assert.equal((await getPipelineRun(project.store, inTime)).run.status, "succeeded");
  });

  it("of a time of the day ask for a run that succeeded since the one before, on days on which the schedule runs", async () => {
    const project = await createTestProject(kind, {
      "pipelines/daily.yaml":
        'on: { schedule: { cron: "0 0 * * *", missed: skip } }\ndeadline: 08:30 America/Sao_Paulo\nsteps: { a: { run: echo a } }\n',
      "pipelines/rare.yaml":
        'on: { schedule: { cron: "0 0 29 2 *", missed: skip } }\ndeadline: "08:30"\nsteps: { b: { run: echo b } }\n',
      "pipelines/paused.yaml": "deadline: 08:30\nsteps: { c: { run: echo c } }\n",
    });
    const { pipelines } = await project.load();
    // As if it stood in the files for three days, in which nobody was there.
    await registerPipelines(project.store, { project: "p", pipelines, actor: "ana", atMs: Date.now() - 72 * HOUR_MS });
    await project.store.write((transaction) =>
      pausePipeline(transaction, { project: "p", pipeline: "paused", actor: "ana", atMs: Date.now() }),
    );
    const engine = project.engine({ ports });
    await engine.start();
    const [alert, ...others] = await alertsOf(project);
    assert.deepEqual(others, []);
    assert.equal(alert?.monitor, "daily.deadline");
    assert.match(
      alert.message,
      /^no run of daily has succeeded by 08:30 America\/Sao_Paulo \(.* UTC\): none was started$/,
    );
    assert.match(alert.segment, /^\d{4}-\d\d-\d\dT\d\d:30:00\.000Z$/);
    const only = await engine.submit({ pipeline: "daily", actor: "ana", only: "a" });
    await engine.runToEnd(only);
    const whole = await engine.submit({ pipeline: "daily", actor: "ana" });
    await engine.runToEnd(whole);
    await until("closed", async () => (await alertsOf(project))[0]?.state === "closed");
    assert.match((await alertsOf(project))[0]?.closeReason ?? "", new RegExp(`late \\(run ${whole}\\)$`));
  });

  it("close when they are no longer declared", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": "deadline: 1m\nsteps: { a: { run: sleep 60 } }\n",
    });
    await project.register();
    const engine = project.engine({ ports, clock: later(0) });
    await engine.submit({ pipeline: "p", actor: "ana" });
    const late = project.engine({ ports, clock: later(HOUR_MS) });
    await late.start();
    assert.equal((await alertsOf(project)).length, 1);
    await project.write("pipelines/p.yaml", "steps: { a: { run: sleep 60 } }\n");
    await project.register();
    await until("closed", async () => (await alertsOf(project))[0]?.state === "closed");
    assert.equal((await alertsOf(project))[0]?.closeReason, "the deadline is no longer declared");
  });
});
