// Kills the engine of the demo's pipelines at random moments: `npm test -- test/crash/demo.slow.test.ts`; CRASH_KILLS=6
// for fewer, CRASH_SEED=… to repeat one.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { temporaryFolder } from "../setup/stores.ts";
import { listProcessesOf, runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { createFlightsProject, type FlightsProject, writeSourceFiles } from "./flights-project.ts";
import { findDoubleWork, latestRun, listLeftovers, readEndState, readRows } from "./flights-state.ts";

const KILLS = Number(process.env["CRASH_KILLS"] ?? 30);
/** The kills are spread over the pipelines, so that later ones are killed too. */
const KILLS_PER_PIPELINE = 5;
const SEED = Number(process.env["CRASH_SEED"] ?? Date.now() % 1_000_000);
const LONGEST_MS = 180_000;
const START_MS = 1500;
const LONGEST_WORK_MS = 12_000;
const EXIT_WAITING = 3;

interface Kill {
  readonly pipeline: string;
  readonly command: string;
  /** Milliseconds after the command was started. */
  readonly atMs: number;
  readonly atWork: string;
  readonly restartedAtMs: number;
}

interface World {
  readonly project: FlightsProject;
  readonly random: () => number;
  readonly kills: Kill[];
  killsLeft: number;
}

/** mulberry32: the same moments again for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const isOver = (status: string | undefined): boolean =>
  status === "succeeded" || status === "failed" || status === "cancelled";

function stepsAtWork(project: FlightsProject): string {
  return (
    readRows(
      project,
      "select distinct s.step from attempt a join step_run s on s.id = a.step_run_id where a.status = 'running'",
    )
      .map(({ step }) => step)
      .join(" ") || "between steps"
  );
}

/** Starts one command, kills it at a random moment of `longMs` when kills are left; true when it was killed. */
async function playOnce(
  world: World,
  facts: {
    readonly pipeline: string;
    readonly command: string;
    readonly child: ChildProcess;
    readonly ended: Promise<unknown>;
    readonly longMs: number;
  },
): Promise<boolean> {
  if (world.killsLeft === 0) return false;
  const startedAt = performance.now();
  const atMs = Math.round(world.random() * facts.longMs);
  const over = await Promise.race([facts.ended.then(() => true), delay(atMs).then(() => false)]);
  if (over) return false;
  signalGroup(facts.child, "SIGKILL");
  await facts.ended;
  const atWork = stepsAtWork(world.project);
  // Half of the time the next engine starts at once, beside what may still be dying.
  if (world.random() < 0.5) await waitForNoProcess(world.project);
  world.killsLeft--;
  world.kills.push({
    pipeline: facts.pipeline,
    command: facts.command,
    atMs: Math.round(performance.now() - startedAt),
    atWork,
    restartedAtMs: Date.now(),
  });
  return true;
}

async function waitForNoProcess(project: FlightsProject): Promise<void> {
  const until = performance.now() + 10_000;
  for (
    let left = await listProcessesOf(project.folder);
    left.length > 0;
    left = await listProcessesOf(project.folder)
  ) {
    assert.ok(performance.now() < until, `still alive 10 s after their engine was killed:\n${left.join("\n")}`);
    await delay(20);
  }
}

/** `esteira run`, and after each kill `esteira run --resume`, until the pipeline run has ended or waits. */
async function playWithRun(world: World, pipeline: string, longMs: number): Promise<void> {
  const { project } = world;
  for (const until = performance.now() + LONGEST_MS; performance.now() < until;) {
    const known = latestRun(project, pipeline);
    const words = known === undefined ? ["run", pipeline] : ["run", "--resume", known.id];
    const { child, ended } = startEsteira(project.folder, words);
    if (await playOnce(world, { pipeline, command: words.slice(0, 2).join(" "), child, ended, longMs })) continue;
    const { code, stdout, stderr } = await ended;
    assert.ok(
      code === 0 || code === EXIT_WAITING,
      `esteira ${words.join(" ")} ended with ${code}:\n${stdout}${stderr}`,
    );
    return;
  }
  assert.fail(`${pipeline} did not end within ${LONGEST_MS / 1000} s`);
}

/** The same under `esteira up`, which finishes by itself what the one before left. */
async function playWithUp(world: World, pipeline: string, longMs: number): Promise<void> {
  const { project } = world;
  for (const until = performance.now() + LONGEST_MS; performance.now() < until;) {
    const { child, ended } = startEsteira(project.folder, ["up", "--port", "0", "--json"]);
    const url = await new Promise<string>((found, failed) => {
      child.stdout?.once("data", (piece: Buffer) => found((JSON.parse(piece.toString()) as { url: string }).url));
      void ended.then(({ stdout, stderr }) => failed(new Error(`esteira up ended: ${stdout}${stderr}`)));
    });
    if (latestRun(project, pipeline) === undefined)
      await fetch(`${url}/api/v1/pipelines/${pipeline}/runs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
    const settled = waitForRun(project, pipeline);
    if (await playOnce(world, { pipeline, command: "up", child, ended: Promise.race([ended, settled]), longMs })) {
      await ended;
      continue;
    }
    await settled;
    child.kill("SIGTERM");
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    return;
  }
  assert.fail(`${pipeline} did not end within ${LONGEST_MS / 1000} s`);
}

async function waitForRun(project: FlightsProject, pipeline: string): Promise<void> {
  const until = performance.now() + LONGEST_MS;
  for (
    let run = latestRun(project, pipeline);
    !isOver(run?.status) && run?.status !== "waiting";
    run = latestRun(project, pipeline)
  ) {
    if (performance.now() > until) throw new Error(`${pipeline} is ${run?.status}`);
    await delay(50);
  }
}

/** Capture, transform, train, test, deploy; the approval comes from another person in between. */
async function playCycle(world: World, mode: "run" | "up", durations: ReadonlyMap<string, number>): Promise<void> {
  const play = mode === "run" ? playWithRun : playWithUp;
  const budget = world.killsLeft;
  for (const pipeline of ["flights", "delay"]) {
    world.killsLeft = Math.min(budget - world.kills.length, KILLS_PER_PIPELINE);
    await play(world, pipeline, durations.get(pipeline) ?? 0);
  }
  await waitForApproval(world);
  await play(world, "delay", 2000);
}

async function waitForApproval({ project }: World): Promise<void> {
  const [waiting] = readRows(project, "select digest from approval_request");
  assert.ok(waiting, "the deployment to production waits for an approval");
  const { code, stderr } = await runEsteira(
    project.folder,
    ["approve", String(waiting["digest"]), "--environment", "production"],
    { ESTEIRA_TOKEN: project.reviewer },
  );
  assert.equal(code, 0, stderr);
}

/** From the restart to the first attempt after it. */
function recoveryMs(project: FlightsProject, kill: Kill): number | undefined {
  const [row] = readRows(
    project,
    "select min(started_at_ms) as at from attempt where started_at_ms >= cast(? as integer)",
    String(kill.restartedAtMs),
  );
  return row?.["at"] === null || row === undefined ? undefined : Number(row["at"]) - kill.restartedAtMs;
}

interface Undisturbed {
  readonly state: object;
  /** How long each pipeline is at work, in milliseconds: the moments to kill at are drawn from it. */
  readonly durations: ReadonlyMap<string, number>;
}

async function playUndisturbed(folder: string, data: string): Promise<Undisturbed> {
  const project = await createFlightsProject(folder, data);
  await playCycle({ project, random: () => 0, kills: [], killsLeft: 0 }, "run", new Map());
  assert.deepEqual(await listLeftovers(project), []);
  const durations = readRows(
    project,
    "select s.pipeline, sum(a.finished_at_ms - a.started_at_ms) as ms from attempt a join step_run s on s.id = a.step_run_id group by s.pipeline",
  ).map(
    // The first run may make the Python environment, which those that are killed find.
    ({ pipeline, ms }) => [String(pipeline), START_MS + Math.min(Number(ms), LONGEST_WORK_MS)] as const,
  );
  return { state: await readEndState(project), durations: new Map(durations) };
}

describe("the demo's pipelines, their engine killed at random moments", { timeout: 30 * 60_000 }, () => {
  it("end as if nothing had happened", async (context) => {
    const folder = await temporaryFolder();
    const data = join(folder, "data");
    await writeSourceFiles(data);
    const undisturbed = await playUndisturbed(join(folder, "undisturbed"), data);
    const random = createRandom(SEED);
    const table: string[] = [];
    for (let cycle = 0; table.length < KILLS; cycle++) {
      const mode = cycle % 3 === 2 ? "up" : "run";
      const project = await createFlightsProject(join(folder, `cycle-${cycle}`), data);
      const world: World = { project, random, kills: [], killsLeft: KILLS - table.length };
      await playCycle(world, mode, undisturbed.durations);
      for (const kill of world.kills) table.push(describeKill(project, kill));
      const where = `cycle ${cycle} (${mode}), seed ${SEED}\n${table.join("\n")}`;
      assert.deepEqual(await readEndState(project), undisturbed.state, where);
      assert.deepEqual(findDoubleWork(project), [], where);
      assert.deepEqual(await listLeftovers(project), [], where);
    }
    for (const line of [`seed ${SEED}`, ...table]) context.diagnostic(line);
  });
});

function describeKill(project: FlightsProject, kill: Kill): string {
  return `${kill.command.padEnd(12)} ${kill.pipeline.padEnd(8)} killed after ${String(kill.atMs).padStart(6)} ms  at ${kill.atWork.padEnd(24)} at work again after ${recoveryMs(project, kill) ?? "-"} ms`;
}
