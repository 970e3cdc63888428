import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { listAssets, listEvents } from "#metadata-store";
import { listOtherEngines } from "#metadata-store/engine";
import { getPipelineRun, getStepRun, listPipelineRuns } from "#engine";
import { describeStores, openTestStore, type TestStore } from "../setup/stores.ts";

const KILLS = Number(process.env["CRASH_KILLS"] ?? 6);
const LAYERS = 4;
const WIDTH = 3;
const ITEMS = 5;

/** Layers of steps, each noting its begin and end with its process; the last makes code. */
function pipeline(): string {
  const trace = (name: string): string => `echo begin ${name} $$ >> trace; sleep 0.15; echo end ${name} $$ >> trace`;
  const lines = ["steps:"];
  for (let layer = 0; layer < LAYERS; layer++) {
    for (let index = 0; index < WIDTH; index++) {
      const name = `s${layer}_${index}`;
      const needs =
        layer === 0
          ? ""
          : `, needs: [${Array.from({ length: WIDTH }, (_, other) => `s${layer - 1}_${other}`).join(", ")}]`;
      lines.push(`  ${name}: { run: "${trace(name)}"${needs} }`);
    }
  }
  lines.push(
    `  list: { run: 'echo "l=${JSON.stringify(Array.from({ length: ITEMS }, (_, item) => item)).replaceAll('"', '\\"')}" >> "$ESTEIRA_OUTPUT"' }`,
    `  each: { for_each: '\${{ steps.list.outputs.l }}', max_parallel: 2, run: "${trace("each_$ESTEIRA_ITEM")}" }`,
  );
  lines.push(
    `  app: { run: "${trace("app")}; mkdir -p dist; echo app > dist/app.txt", needs: [each, s${LAYERS - 1}_0, s${LAYERS - 1}_1, s${LAYERS - 1}_2], makes: { code: dist } }`,
  );
  return `${lines.join("\n")}\n`;
}

function startEngine(store: TestStore, projectFolder: string): ChildProcess {
  return spawn(
    process.execPath,
    [join(import.meta.dirname, "engine-process.ts"), store.address, store.folder, projectFolder],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) =>
    child.exitCode !== null || child.signalCode !== null ? resolve() : child.once("exit", () => resolve()),
  );
const working = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", () => reject(new Error("the engine ended before it worked")));
  });

/** An earlier process of a step that still writes after a later one began has run beside it. */
function findOverlaps(trace: string): readonly string[] {
  const newest = new Map<string, string>();
  const overlaps: string[] = [];
  for (const line of trace.trim().split("\n")) {
    const [what, step = "", pid = ""] = line.split(" ");
    if (what === "begin") newest.set(step, pid);
    else if (newest.get(step) !== pid) overlaps.push(line);
  }
  return overlaps;
}

describeStores("an engine that is killed at any moment", (kind) => {
  it("is continued by the next: nothing runs twice at a time, what succeeded is not run again, the end is the same", async () => {
    const opened = await openTestStore(kind);
    const projectFolder = join(opened.folder, "project");
    await mkdir(join(projectFolder, "pipelines"), { recursive: true });
    await writeFile(join(projectFolder, "pipelines", "crash.yaml"), pipeline());
    const succeededBefore = new Set<string>();
    let run: Awaited<ReturnType<typeof listPipelineRuns>>[number] | undefined;
    for (let kill = 0; kill < 40; kill++) {
      const child = startEngine(opened, projectFolder);
      await working(child);
      if (kill < KILLS) {
        await Promise.race([delay(Math.random() * 350), ended(child)]);
        child.kill("SIGKILL");
      }
      await ended(child);
      [run] = await listPipelineRuns(opened.store, { project: "p" });
      const detail = await getPipelineRun(opened.store, run?.id ?? "");
      for (const step of detail.stepRuns) {
        const attempts = (await getStepRun(opened.store, step.id)).attempts;
        if (succeededBefore.has(step.id))
          assert.equal(
            attempts.filter((attempt) => attempt.status === "succeeded").length,
            1,
            `${step.step} ran again`,
          );
        if (step.status === "succeeded") succeededBefore.add(step.id);
      }
      if (run?.status === "succeeded") break;
    }
    assert.equal(run?.status, "succeeded");
    assert.deepEqual(findOverlaps(await readFile(join(projectFolder, "trace"), "utf8")), []);
    const { stepRuns } = await getPipelineRun(opened.store, run.id);
    assert.equal(stepRuns.length, LAYERS * WIDTH + 1 + 2 + ITEMS);
    for (const step of stepRuns) {
      const { attempts } = await getStepRun(opened.store, step.id);
      assert.deepEqual(
        [step.status, attempts.filter((attempt) => attempt.status === "running").length, attempts.at(-1)?.status],
        ["succeeded", 0, "succeeded"],
      );
    }
    const assets = await opened.store.read((transaction) => listAssets(transaction, { project: "p" }));
    assert.deepEqual(
      assets.map(({ asset, version }) => [asset, version]),
      [["app", 1]],
    );
    const events = await opened.store.read((transaction) =>
      listEvents(transaction, { subjectKind: "pipeline_run", limit: 1000 }),
    );
    assert.equal(events.filter((event) => event.type === "pipeline_run.succeeded").length, 1);
    assert.deepEqual(
      await opened.store.read((transaction) => listOtherEngines(transaction, { project: "p", engineId: "" })),
      [],
      "every engine that died was retired",
    );
    assert.deepEqual(await readdir(join(opened.folder, "work")), [], "no attempt left its folder");
  });

  it(
    "ends its children with it, and a stopped one leaves a run that can be resumed",
    { timeout: 120_000 },
    async () => {
      const opened = await openTestStore(kind);
      const projectFolder = join(opened.folder, "project");
      await mkdir(join(projectFolder, "pipelines"), { recursive: true });
      await writeFile(
        join(projectFolder, "pipelines", "crash.yaml"),
        'steps:\n  long: { run: "test -f go || { echo $$ > pid; sleep 600; }" }\n',
      );
      const pidOf = async (): Promise<number> => {
        for (;;) {
          const pid = Number(await readFile(join(projectFolder, "pid"), "utf8").catch(() => ""));
          if (pid > 0) return pid;
          await delay(20);
        }
      };
      const gone = async (pid: number): Promise<void> => {
        for (;;) {
          try {
            process.kill(pid, 0);
          } catch {
            return;
          }
          await delay(10);
        }
      };
      const killed = startEngine(opened, projectFolder);
      const first = await pidOf();
      killed.kill("SIGKILL");
      await gone(first);
      await writeFile(join(projectFolder, "pid"), "");
      const stopped = startEngine(opened, projectFolder);
      const second = await pidOf();
      stopped.kill("SIGTERM");
      await ended(stopped);
      await gone(second);
      assert.equal((await listPipelineRuns(opened.store, { project: "p" }))[0]?.status, "interrupted");
      await writeFile(join(projectFolder, "go"), "");
      const third = startEngine(opened, projectFolder);
      await ended(third);
      const [run] = await listPipelineRuns(opened.store, { project: "p" });
      assert.equal(run?.status, "succeeded");
      const { stepRuns } = await getPipelineRun(opened.store, run.id);
      assert.deepEqual(
        (await getStepRun(opened.store, stepRuns[0]?.id ?? "")).attempts.map((attempt) => attempt.status),
        ["lost", "interrupted", "succeeded"],
      );
    },
  );
});
