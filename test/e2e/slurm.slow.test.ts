// Steps as jobs of a real Slurm, from the command line.
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { startSlurm } from "../setup/slurm.ts";
import { temporaryFolder } from "../setup/stores.ts";

const slurm = await startSlurm();
after(() => slurm.stop());
const TIMEOUT = { timeout: 300_000 };

async function project(pipeline: string, options = ""): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(
    join(folder, "esteira.yaml"),
    `name: p\nisolation: none\nexecutors:\n  hpc: { slurm: { conf: "${slurm.configuration}"${options} } }\ndefaults: { executor: hpc }\n`,
  );
  await writeFile(join(folder, "pipelines/w.yaml"), pipeline);
  return folder;
}

async function until<Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> {
  for (const end = Date.now() + 60_000; ; await delay(100)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within a minute`);
  }
}

const exists = (file: string): Promise<string | undefined> => readFile(file, "utf8").catch(() => undefined);

const jobs = (...states: readonly string[]): readonly string[] =>
  slurm
    .run("squeue", "-h", "-a", "-t", states.join(",") || "all", "-o", "%i")
    .split("\n")
    .filter((id) => id !== "");

/** A command that goes on while the test does other things. */
const begin = (folder: string, ...words: readonly string[]): ReturnType<typeof startEsteira> =>
  startEsteira(folder, words);

/** The only step of the run that a command has told of. */
async function stepOf(
  folder: string,
  stderr: string,
): Promise<{ readonly attempts: readonly { readonly status: string }[]; readonly status: string }> {
  const run = /Pipeline run (\w+)/.exec(stderr)?.[1] ?? "";
  const { stdout } = await runEsteira(folder, ["status", run, "--json"]);
  const {
    stepRuns: steps,
  }: {
    readonly stepRuns: readonly {
      readonly status: string;
      readonly attempts: readonly { readonly status: string }[];
    }[];
  } = JSON.parse(stdout);
  const [first] = steps;
  assert.ok(first, stdout);
  return first;
}

const COUNT = `echo once >> "$PLACE/starts"; i=0; while [ $i -lt 40 ]; do echo "line $i"; i=$((i+1)); [ $i -eq 10 ] && touch "$PLACE/ten"; if [ $i -ge 10 ]; then while [ ! -e "$PLACE/go" ]; do sleep 0.1; done; fi; done; echo "é end"`;
const LINES = [...Array.from({ length: 40 }, (_, index) => `line ${index}`), "é end"];

describe("a step on Slurm", { timeout: 900_000 }, () => {
  it("runs as a job with what it asks for, gives outputs, and leaves nothing", TIMEOUT, async () => {
    const folder = await project(
      `steps:\n  a:\n    run: 'echo "cpus=$(nproc)" >> "$ESTEIRA_OUTPUT"; mkdir out; echo made > out/file'\n    resources: { cpus: 1, memory: 100 MiB }\n    makes: { code: out }\n  b: { run: "cat \\"$ESTEIRA_CONTEXT\\"", inputs: [a] }\n`,
    );
    const { code, stderr } = await runEsteira(folder, ["run", "w"]);
    assert.equal(code, 0, stderr);
    await until("the jobs' folders go", async () =>
      (await readdir(join(folder, ".esteira/jobs/hpc"))).length === 0 ? true : undefined,
    );
    assert.deepEqual(await readdir(join(folder, ".esteira/work")), []);
  });

  it("goes on when its engine is killed, and the next one takes it over with its whole log", TIMEOUT, async () => {
    const place = await temporaryFolder();
    const folder = await project(`steps:\n  a:\n    run: |\n      ${COUNT}\n    env: { PLACE: ${place} }\n`);
    const { child, ended } = begin(folder, "run", "w");
    await until("it starts", () => exists(join(place, "ten")));
    await until("the first lines are kept", async () =>
      (await runEsteira(folder, ["logs", "latest"])).stdout.includes("line 9") ? true : undefined,
    );
    signalGroup(child, "SIGKILL");
    await ended;
    const second = begin(folder, "run", "--resume");
    await delay(500);
    await writeFile(join(place, "go"), "");
    const resumed = await second.ended;
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.equal(await readFile(join(place, "starts"), "utf8"), "once\n");
    const step = await stepOf(folder, resumed.stderr);
    assert.deepEqual(
      step.attempts.map(({ status }) => status),
      ["succeeded"],
    );
    const { stdout } = await runEsteira(folder, ["logs", "latest"]);
    assert.deepEqual(
      stdout
        .split("\n")
        .filter((line) => /line \d+|end/.test(line))
        .map((line) => line.replace(/^.*?(line \d+|é end)$/, "$1")),
      LINES,
    );
  });

  it("ends with the run that is interrupted, and is queued again by a resume", TIMEOUT, async () => {
    const place = await temporaryFolder();
    const folder = await project(`steps:\n  a:\n    run: |\n      ${COUNT}\n    env: { PLACE: ${place} }\n`);
    const { child, ended } = begin(folder, "run", "w");
    await until("it starts", () => exists(join(place, "ten")));
    signalGroup(child, "SIGINT");
    await ended;
    assert.deepEqual(jobs("RUNNING", "PENDING"), []);
  });

  it("that waits in the queue is cancelled there", TIMEOUT, async () => {
    slurm.run("scontrol", "update", "PartitionName=main", "State=DOWN");
    try {
      const folder = await project("steps: { a: { run: echo never } }\n");
      const { ended } = begin(folder, "run", "w");
      await until("it waits", () => Promise.resolve(jobs("PENDING")[0]));
      const { stdout } = await runEsteira(folder, ["status", "--json"]);
      const [run = ""] = /01[0-9A-Z]{24}/.exec(stdout) ?? [];
      const { code } = await runEsteira(folder, ["cancel", run]);
      assert.equal(code, 0);
      const { stderr } = await ended;
      assert.deepEqual(jobs("RUNNING", "PENDING"), []);
      assert.equal((await stepOf(folder, stderr)).status, "cancelled");
    } finally {
      slurm.run("scontrol", "update", "PartitionName=main", "State=UP");
    }
  });

  it("is started again when its wrapper is killed, and when its node fails", TIMEOUT, async () => {
    const place = await temporaryFolder();
    const folder = await project(`steps:\n  a:\n    run: |\n      ${COUNT}\n    env: { PLACE: ${place} }\n`);
    const { ended } = begin(folder, "run", "w");
    await until("it starts", () => exists(join(place, "ten")));
    slurm.run("scancel", "--batch", "--signal=KILL", jobs("RUNNING")[0] ?? "");
    await until("it starts again", async () =>
      (await readFile(join(place, "starts"), "utf8")) === "once\nonce\n" ? true : undefined,
    );
    await slurm.killNode();
    await until("the node is given up", () => Promise.resolve(jobs("RUNNING").length === 0 ? true : undefined));
    await slurm.startNode();
    await until("and again", async () =>
      (await readFile(join(place, "starts"), "utf8")) === "once\nonce\nonce\n" ? true : undefined,
    );
    await writeFile(join(place, "go"), "");
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      (await stepOf(folder, stderr)).attempts.map(({ status }) => status),
      ["lost", "lost", "succeeded"],
    );
  });

  it("says that somebody cancelled its job, that its time was up, and what Slurm refused", TIMEOUT, async () => {
    const place = await temporaryFolder();
    const cancelled = await project(`steps:\n  a:\n    run: |\n      ${COUNT}\n    env: { PLACE: ${place} }\n`);
    const running = runEsteira(cancelled, ["run", "w"]);
    await until("it starts", () => exists(join(place, "ten")));
    slurm.run("scancel", jobs("RUNNING")[0] ?? "");
    assert.match((await running).stderr, /was cancelled by somebody with scancel/);
    const late = await project("steps: { a: { run: sleep 600, timeout: 1s, retry: 0 } }\n");
    assert.match((await runEsteira(late, ["run", "w"])).stderr, /took longer than its timeout of 1 s/);
    const refused = await project("steps: { a: { run: 'true' } }\n", ", partition: nowhere");
    assert.match((await runEsteira(refused, ["run", "w"])).stderr, /Slurm refused the job|Invalid/);
  });

  it("goes on while the controller is away", TIMEOUT, async () => {
    const place = await temporaryFolder();
    const folder = await project(`steps:\n  a:\n    run: |\n      ${COUNT}\n    env: { PLACE: ${place} }\n`);
    const { ended } = begin(folder, "run", "w");
    await until("it starts", () => exists(join(place, "ten")));
    await slurm.killController();
    await writeFile(join(place, "go"), "");
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    await slurm.startController();
  });

  it("of many, each as a job of its own, takes no place of this machine", TIMEOUT, async () => {
    const folder = await project(
      `steps:\n  a: { run: "echo $ESTEIRA_ITEM", for_each: [${Array.from({ length: 100 }, (_, index) => index).join(", ")}] }\n`,
    );
    const { code, stderr } = await runEsteira(folder, ["run", "w"]);
    assert.equal(code, 0, stderr);
  });

  it("asks for what no node has, and hears so before anything is submitted", TIMEOUT, async () => {
    const before = jobs().length;
    const folder = await project("steps: { a: { run: 'true', resources: { cpus: 4000, gpus: 2 } } }\n");
    const { code, stderr } = await runEsteira(folder, ["run", "w"]);
    assert.equal(code, 1);
    assert.match(stderr, /asks for 4000 cpus, 2 gpus, and one process on executor "hpc" has at most \d+ cpus?, 0 gpus/);
    assert.equal(jobs().length, before);
    const checked = await runEsteira(folder, ["executor", "check", "hpc"]);
    assert.equal(checked.code, 0, checked.stderr);
    const doctor = await runEsteira(folder, ["doctor"]);
    assert.match(doctor.stdout, /executor hpc: Slurm answers; one step gets at most/);
  });
});
