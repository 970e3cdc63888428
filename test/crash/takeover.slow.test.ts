// An engine that is stopped, or dies on another host, loses its work within ten seconds, and writes nothing afterwards.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { after, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { getPipelineRun, getStepRun, listPipelineRuns } from "#engine";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const TAKEOVER_MS = 10_000;
/** The first attempt is the one of the engine that falls silent; the second one ends at once. */
const STEP = `if mkdir first 2>/dev/null; then echo $$ > pid; sleep 600; fi`;

type Project = Awaited<ReturnType<typeof createTestProject>>;

function startOther(project: Project, isElsewhere: boolean): ChildProcess {
  const words = [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "engine-process.ts"),
    project.address,
    project.folder,
    project.projectFolder,
  ];
  // Another process namespace is another host: nobody there sees that its process is gone.
  const [program = "", ...rest] = isElsewhere ? ["unshare", "--pid", "--fork", "--mount-proc", ...words] : words;
  const child = spawn(program, rest, { stdio: ["ignore", "inherit", "inherit"], detached: true });
  after(() => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // It is gone.
    }
  });
  return child;
}

async function attemptsOf(project: Project) {
  const [run] = await listPipelineRuns(project.store, { project: "p" });
  const [step] = run === undefined ? [] : (await getPipelineRun(project.store, run.id)).stepRuns;
  return step === undefined ? [] : (await getStepRun(project.store, step.id)).attempts;
}

async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  for (const end = Date.now() + 60_000; Date.now() < end; await delay(50)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("it did not happen within a minute");
}

describeStores("an engine that falls silent", (kind) => {
  for (const how of ["SIGSTOP", "SIGKILL"] as const) {
    it(`by ${how} has its attempt taken over within ten seconds, and ends none`, async () => {
      const project = await createTestProject(kind, {
        "pipelines/crash.yaml": `steps: { s: { run: ${JSON.stringify(STEP)} } }\n`,
      });
      const child = startOther(project, how === "SIGKILL");
      await until(async () => ((await attemptsOf(project))[0]?.status === "running" ? true : undefined));
      // Longer than its first lease: the thread beside its loop keeps it.
      await delay(9000);
      assert.deepEqual(
        (await attemptsOf(project)).map(({ status }) => status),
        ["running"],
      );
      const engine = project.engine();
      await engine.start();
      process.kill(-(child.pid ?? 0), how);
      const silentAtMs = Date.now();
      const second = await until(async () => (await attemptsOf(project))[1]);
      assert.ok(
        second.startedAtMs - silentAtMs < TAKEOVER_MS,
        `taken over after ${second.startedAtMs - silentAtMs} ms`,
      );
      await until(async () => ((await attemptsOf(project))[1]?.status === "succeeded" ? true : undefined));
      if (how === "SIGSTOP") process.kill(-(child.pid ?? 0), "SIGCONT");
      await delay(4000);
      assert.deepEqual(
        (await attemptsOf(project)).map(({ status }) => status),
        ["lost", "succeeded"],
      );
    });
  }

  it("is busy for longer than a lease keeps its attempt: a thread prolongs it", async () => {
    const project = await createTestProject(kind, {
      "pipelines/crash.yaml": `steps: { s: { run: ${JSON.stringify(STEP)} } }\n`,
    });
    const child = startOther(project, false);
    await until(async () => ((await attemptsOf(project))[0]?.status === "running" ? true : undefined));
    await delay(4000);
    await project.engine().start();
    process.kill(child.pid ?? 0, "SIGUSR2");
    await delay(12_000);
    assert.deepEqual(
      (await attemptsOf(project)).map(({ status }) => status),
      ["running"],
    );
  });
});
