// The log of a step while its engine is killed: what somebody has read is there, nothing is twice, nothing is between.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { followLog, getPipelineRun, getStepRun, listPipelineRuns } from "#engine";
import { listLogGaps } from "#metadata-store/upkeep";
import { runSql } from "../setup/run-sql.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const KILLS = Number(process.env["CRASH_KILLS"] ?? 5);
const BURSTS = 6;
const LINES_A_BURST = 30_000;

/** Bursts that are sealed at once, and lines between that come one by one. */
const WRITER = `const { writeSync } = require("node:fs");
const put = (text) => { const bytes = Buffer.from(text); for (let at = 0; at < bytes.length;) try { at += writeSync(1, bytes, at); } catch (error) { if (error.code !== "EAGAIN") throw error; } };
const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
let line = 0;
for (let burst = 0; burst < ${BURSTS}; burst++) {
  let text = "";
  for (let index = 0; index < ${LINES_A_BURST}; index++) text += "line " + line++ + " ${"·".repeat(30)}\\n";
  put(text);
  for (let index = 0; index < 5; index++) { pause(25); put("line " + line++ + " ${"·".repeat(30)}\\n"); }
}
`;

function startEngine(address: string, folder: string, projectFolder: string): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, "engine-process.ts"), address, folder, projectFolder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) =>
    child.exitCode !== null || child.signalCode !== null ? resolve() : child.once("exit", () => resolve()),
  );

describeStores("the log of a step whose engine is killed at any moment", (kind) => {
  it("holds every line that was read, each once and in order, in storage and in the database", async () => {
    const { store, objects, address, folder } = await openTestStore(kind);
    const projectFolder = join(folder, "project");
    await mkdir(join(projectFolder, "pipelines"), { recursive: true });
    await writeFile(join(projectFolder, "writer.cjs"), WRITER);
    await writeFile(
      join(projectFolder, "pipelines/crash.yaml"),
      'steps:\n  loud: { run: ["node", "writer.cjs"], files: [writer.cjs] }\n',
    );
    /** Characters that somebody read of each attempt before the kill. */
    const seen = new Map<number, number>();
    for (let kill = 0; kill <= KILLS + 1; kill++) {
      const child = startEngine(address, folder, projectFolder);
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      const [run] = await listPipelineRuns(store, { project: "p" });
      const stepRunId = (await getPipelineRun(store, run?.id ?? "")).stepRuns[0]?.id ?? "";
      if (kill < KILLS) {
        const reading = new AbortController();
        const known = Math.max(0, ...seen.keys());
        let begin: () => void = () => {};
        const begun = new Promise<void>((resolve) => (begin = resolve));
        const follower = (async () => {
          seen.clear();
          for await (const { attempt, text } of followLog({ store, objects }, { stepRunId, signal: reading.signal })) {
            seen.set(attempt, (seen.get(attempt) ?? 0) + text.length);
            if (attempt > known) begin();
          }
        })();
        await Promise.race([begun, ended(child)]);
        await delay(Math.random() * 700);
        child.kill("SIGKILL");
        reading.abort();
        await follower;
      }
      await ended(child);
    }
    const [run] = await listPipelineRuns(store, { project: "p" });
    assert.equal(run?.status, "succeeded");
    const stepRunId = (await getPipelineRun(store, run.id)).stepRuns[0]?.id ?? "";
    const texts = new Map<number, string>();
    for await (const { attempt, text } of followLog({ store, objects }, { stepRunId }))
      texts.set(attempt, (texts.get(attempt) ?? "") + text);
    const whole = Array.from(
      { length: BURSTS * (LINES_A_BURST + 5) },
      (_, line) => `line ${line} ${"·".repeat(30)}\n`,
    ).join("");
    const { attempts } = await getStepRun(store, stepRunId);
    for (const { number } of attempts) {
      const text = texts.get(number) ?? "";
      assert.ok(whole.startsWith(text), `attempt ${number} of ${attempts.length} has other lines`);
      assert.ok(text.length >= (seen.get(number) ?? 0), `attempt ${number} lost what was read`);
    }
    assert.equal(texts.get(attempts.length)?.length, whole.length);
    assert.deepEqual(await store.read(listLogGaps), []);
    assert.ok((await runSql(address, "select digest from log_blob")).length > 1, "nothing was sealed");
  });
});
