// Trials of Python models: both versions computed by processes of their own, which die, as the server does.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { isId, silentLog } from "#base";
import { openMetadataStore } from "#metadata-store";
import { getPrediction } from "#metadata-store/serving";
import { createServing, sourceOfRecords } from "#serving";
import { pythonModels } from "../setup/python-models.ts";
import { openTestStore } from "../setup/stores.ts";
import { publishModel, pythonServing } from "./python-served.ts";
import { deploy, registerModel, rolloutsOf } from "./served.ts";

const LIMIT = { timeout: 15 * 60_000 };
const KEY = { project: "p", environment: "production", endpoint: "delay" };
const ROW = { distance: 500, hour: 7, origin: "ATL" };
/** What a handful of requests can show. */
const LENIENT = { min_requests: 20, max_errors: "40%", max_p99: "60s", max_shift: "100%" };

async function open() {
  const stored = await openTestStore("sqlite");
  let shiftMs = 0;
  const clock = { now: () => Date.now() + shiftMs, monotonic: () => performance.now() };
  const serving = createServing({ ...stored, clock, log: silentLog, python: await pythonServing(stored.objects) });
  after(() => serving.close());
  const rollouts = rolloutsOf(serving, { store: stored.store, clock });
  const { folder } = await pythonModels();
  return {
    ...stored,
    serving,
    rollouts,
    shift: (ms: number) => (shiftMs += ms),
    publish: (name: string) => publishModel(stored, join(folder, name)),
    ask: (unit: string, row: object = ROW) =>
      serving.endpoints.predict(KEY, { source: sourceOfRecords([row]), entityKeys: [unit] }),
  };
}

/** Processes of models that this process, or the one of an id, started. */
async function modelProcesses(ancestor: number): Promise<readonly number[]> {
  const parents = new Map<number, number>();
  const models: number[] = [];
  for (const name of (await readdir("/proc")).filter((each) => /^\d+$/.test(each))) {
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    parents.set(Number(name), Number(/\) \S (\d+)/.exec(stat)?.[1] ?? 0));
    const command = (await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (/python[\d.]*$/.test(command[0] ?? "") && command.some((word) => word.endsWith("_serve.py")))
      models.push(Number(name));
  }
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
      if (at === ancestor) return true;
    return false;
  };
  return models.filter(isBelow);
}

describe("a canary of Python models", () => {
  it(
    "takes over when both arms' records show that it may, though its processes are killed meanwhile",
    LIMIT,
    async () => {
      const test = await open();
      const [champion, candidate] = [await test.publish("late"), await test.publish("late")];
      await deploy(test.serving, champion);
      await deploy(test.serving, candidate, { strategy: { canary: "50%", watch: "10m", ...LENIENT } });
      let killed = 0;
      let asked = 0;
      let isOver = false;
      const client = async (name: number): Promise<void> => {
        while (!isOver) {
          const { predictionIds } = await test.ask(`${name}-${asked++}`);
          const id = predictionIds[0] ?? "";
          assert.ok((await test.store.read((transaction) => getPrediction(transaction, id))) !== undefined);
        }
      };
      const killing = async (): Promise<void> => {
        await pause(1000);
        for (const pid of await modelProcesses(process.pid)) {
          process.kill(pid, "SIGKILL");
          killed++;
        }
        // Both answer again: each load of a library takes seconds.
        for (const from = asked; asked < from + 100;) await pause(200);
        isOver = true;
      };
      await Promise.all([killing(), ...Array.from({ length: 8 }, (_, name) => client(name))]);
      assert.ok(killed >= 2, `${killed} killed`);
      const [running] = await test.rollouts.report(KEY);
      const arms = new Map(running?.arms.map((arm) => [arm.arm, arm]));
      assert.equal((arms.get("stable")?.requests ?? 0) + (arms.get("candidate")?.requests ?? 0), asked);
      assert.deepEqual(arms.get("candidate")?.failures, []);
      assert.ok((arms.get("candidate")?.requests ?? 0) >= 20);
      test.shift(11 * 60_000);
      assert.equal(await test.rollouts.settle(), 1);
      assert.equal((await test.serving.target.current(KEY))?.versionId, candidate.id);
      assert.equal((await test.rollouts.report(KEY))[0]?.reason, "passed");
    },
  );

  it(
    "is out within ten requests when its process dies of them, and the champion answers every one",
    LIMIT,
    async () => {
      const test = await open();
      const [champion, candidate] = [await test.publish("late"), await test.publish("slow")];
      await deploy(test.serving, champion);
      await assert.rejects(
        deploy(test.serving, await test.publish("dead"), { strategy: { canary: "100%" } }),
        /no licence/,
      );
      await deploy(test.serving, candidate, { strategy: { canary: "100%", watch: "30m" } });
      for (let request = 0; request < 12; request++) await test.ask(`unit-${request}`, { ...ROW, distance: -1 });
      const state = await test.serving.target.current(KEY);
      assert.deepEqual([state?.versionId, state?.candidateVersionId], [champion.id, undefined]);
      const [trial] = await test.rollouts.report(KEY);
      assert.deepEqual([trial?.outcome, trial?.reason], ["aborted", "failures"]);
      const [failed] = trial?.arms.find(({ arm }) => arm === "candidate")?.failures ?? [];
      assert.equal(failed?.code, "SERVING_WORKER_DIED");
      assert.ok((failed?.count ?? 99) <= 10);
    },
  );

  it("may stand beside a graph, and both arms are shown", LIMIT, async () => {
    const test = await open();
    const champion = await registerModel(test, "late-by-columns");
    const candidate = await test.publish("late");
    await deploy(test.serving, champion);
    await deploy(test.serving, candidate, { strategy: { canary: "50%", watch: "10m", ...LENIENT } });
    for (let request = 0; request < 80; request++) await test.ask(`unit-${request}`);
    const [trial] = await test.rollouts.report(KEY);
    const requests = trial?.arms.map(({ arm, requests: count }) => [arm, count > 20]);
    assert.deepEqual(requests, [
      ["stable", true],
      ["candidate", true],
    ]);
    await test.rollouts.promote(KEY, { actor: "ana", reason: "checked" });
    assert.equal((await test.serving.target.current(KEY))?.versionId, candidate.id);
  });

  it("goes on from its record when the server is killed, and no answered prediction is lost", LIMIT, async () => {
    const test = await open();
    const [champion, candidate] = [await test.publish("late"), await test.publish("late")];
    await deploy(test.serving, champion);
    await deploy(test.serving, candidate, { strategy: { canary: "50%", watch: "10m", ...LENIENT } });
    const objects = await test.objects.localPath((await test.objects.put("x")).digest);
    const serve = async (): Promise<readonly string[]> => {
      const child: ChildProcess = spawn(
        process.execPath,
        [
          join(import.meta.dirname, "predict-until-killed.ts"),
          test.address,
          objects.slice(0, objects.indexOf("/sha256/")),
          "python",
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let printed = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        printed += chunk.toString();
        if (printed.length > 27 * 900) child.kill("SIGKILL");
      });
      await once(child, "close");
      return printed.split("\n").filter(isId);
    };
    const counted = async (): Promise<number> =>
      (await test.rollouts.report(KEY))[0]?.arms.reduce((sum, { requests }) => sum + requests, 0) ?? 0;
    const answered: string[] = [];
    let before = 0;
    for (let life = 0; life < 2; life++) {
      answered.push(...(await serve()));
      const now = await counted();
      assert.ok(now > before, `${now} requests after ${before}`);
      before = now;
    }
    const store = await openMetadataStore(test.address);
    after(() => store.close());
    const missing: string[] = [];
    for (const id of answered)
      if ((await store.read((transaction) => getPrediction(transaction, id))) === undefined) missing.push(id);
    assert.deepEqual(missing, []);
    assert.ok(answered.length >= 900);
    // What each life answered is in the record: three rows a request.
    assert.ok(before >= answered.length / 3, `${before} requests for ${answered.length} predictions`);
    assert.equal((await test.serving.target.current(KEY))?.candidateVersionId, candidate.id);
  });
});
