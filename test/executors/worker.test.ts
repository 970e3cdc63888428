// Worker processes: a program that answers frames over a socket.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createLocalExecutor, createWorkers, type Worker } from "#executors";
import { temporaryFolder } from "../setup/stores.ts";

/** Answers each frame with its header and body; a header may ask for something else. */
const PROGRAM = `
  import { connect } from "node:net";
  import { writeFileSync } from "node:fs";
  const socket = connect(process.argv.at(-1));
  let held = Buffer.alloc(0);
  socket.on("data", (piece) => {
    held = Buffer.concat([held, piece]);
    while (held.length >= 8) {
      const [header, body] = [held.readUInt32LE(0), held.readUInt32LE(4)];
      if (held.length < 8 + header + body) return;
      const said = JSON.parse(held.toString("utf8", 8, 8 + header));
      if (said.ask === "end") { console.log("ending now"); process.exit(3); }
      if (said.ask === "nonsense") socket.write(Buffer.alloc(64, 255));
      else socket.write(held.subarray(0, 8 + header + body));
      held = held.subarray(8 + header + body);
    }
  });
  socket.on("close", () => process.exit(0));
  console.log("process " + process.pid);
`;

async function start(folder: string, program = PROGRAM): Promise<Worker> {
  const file = join(folder, "worker.mjs");
  await writeFile(file, program);
  const workFolder = join(folder, "work");
  const workers = createWorkers({ executor: createLocalExecutor({ workFolder, storeFolder: folder }), workFolder });
  const worker = await workers.start({
    command: [process.execPath, file],
    environment: {},
    readable: [file],
    writable: [join(folder, "written")],
    memoryBytes: 8 * 1024 ** 3,
  });
  after(() => worker.end());
  return worker;
}

describe("a worker", () => {
  it("answers frames in their order, small ones and ones of several pieces", async () => {
    const worker = await start(await temporaryFolder());
    const bodies = [0, 1, 3_000_000, 8].map((size, index) => Buffer.alloc(size, index + 1));
    const answers = await Promise.all(bodies.map((body, number) => worker.ask({ header: { number }, body })));
    for (const [number, answer] of answers.entries()) {
      assert.deepEqual(answer?.header, { number });
      assert.ok(Buffer.from(answer?.body ?? []).equals(bodies[number] ?? Buffer.alloc(1)));
    }
  });

  it("that ends while it is asked leaves no question open, and says how it ended and what it said last", async () => {
    const worker = await start(await temporaryFolder());
    const answers = ["end", "more"].map((ask) => worker.ask({ header: { ask }, body: new Uint8Array() }));
    assert.deepEqual(await Promise.all(answers), [undefined, undefined]);
    assert.equal(await worker.ended, "exit code 3");
    assert.match(worker.lastLines(), /ending now$/);
    assert.equal(await worker.ask({ header: {}, body: new Uint8Array() }), undefined);
  });

  it("that says nonsense is ended", async () => {
    const worker = await start(await temporaryFolder());
    assert.equal(await worker.ask({ header: { ask: "nonsense" }, body: new Uint8Array() }), undefined);
    await worker.ended;
  });

  it("that ends before it connects is an error with its last lines", async () => {
    await assert.rejects(
      start(await temporaryFolder(), `console.log("no such package"); process.exit(1);`),
      /it ended with exit code 1; its last lines: no such package/,
    );
  });

  it("ends with the process that started it, however that ends", { timeout: 60_000 }, async () => {
    const folder = await temporaryFolder();
    const pidFile = join(folder, "written", "pid");
    const program = `${PROGRAM}\nwriteFileSync(${JSON.stringify(pidFile)}, "ready");`;
    await writeFile(join(folder, "worker.mjs"), program);
    const script = `
      const { createLocalExecutor, createWorkers } = await import(${JSON.stringify(new URL("../../src/executors/index.ts", import.meta.url).href)});
      const workFolder = ${JSON.stringify(join(folder, "work"))};
      const executor = createLocalExecutor({ workFolder, storeFolder: ${JSON.stringify(folder)} });
      const worker = await createWorkers({ executor, workFolder }).start({
        command: [process.execPath, ${JSON.stringify(join(folder, "worker.mjs"))}],
        environment: { MARK_OF_TEST: ${JSON.stringify(folder)} },
        readable: [${JSON.stringify(join(folder, "worker.mjs"))}], writable: [${JSON.stringify(join(folder, "written"))}], memoryBytes: 8 * 1024 ** 3,
      });
      await worker.ask({ header: {}, body: new Uint8Array() });
      process.kill(process.pid, "SIGKILL");`;
    const owner = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script],
      {
        stdio: ["ignore", "ignore", "inherit"],
        cwd: join(import.meta.dirname, "../.."),
      },
    );
    await new Promise((resolve) => owner.once("close", resolve));
    assert.equal(await readFile(pidFile, "utf8"), "ready");
    while (await isMarked(folder)) await delay(20);
  });
});

/** Whether a process runs whose environment holds the mark. */
async function isMarked(mark: string): Promise<boolean> {
  const { readdir } = await import("node:fs/promises");
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, "latin1").catch(() => "")));
  return all.some((environment) => environment.includes(`MARK_OF_TEST=${mark}`));
}
