// Throughput of a step's log from its process into the store, what stays of it in the metadata database, and how fast
// it is read again, against the bare pipe of the same process.
// With --lines, as many lines come one by one instead.
// Usage: node bench/logs.ts [--megabytes 1000 | --lines 100000] [--address postgres://…] [--json]
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { followLog } from "#engine";
import { createRunKind } from "#executors";
import { openMetadataStore } from "#metadata-store";
import { listStepRuns } from "#metadata-store/engine";
import { type StepKind } from "#pipeline";
import { openBenchEngine } from "./bench-engine.ts";

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "1000" },
    lines: { type: "string" },
    address: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const lines = values.lines === undefined ? undefined : Number(values.lines);
/** A line of the slow writer has 40 bytes. */
const megabytes = lines === undefined ? Number(values.megabytes) : (lines * 40) / 1e6;

/** Lines as a training writes them, a megabyte at a time. */
const WRITER = `const { writeSync } = require("node:fs");
for (let block = 0, line = 0; block < Number(process.argv[2]); block++) {
  let text = "";
  while (text.length < 999900) text += "2026-01-02T03:04:05.678Z INFO epoch " + (line >> 9) + " step " + line++ + " loss 0." + ((line * 2654435761) >>> 0) + " lr 3e-4 ok\\n";
  const bytes = Buffer.from(text + ".".repeat(999999 - text.length) + "\\n");
  for (let at = 0; at < bytes.length;)
    try { at += writeSync(1, bytes, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
}
`;

/** One write for each line, a few thousand a second. */
const SLOW_WRITER = `const { writeSync } = require("node:fs");
const pause = new Int32Array(new SharedArrayBuffer(4));
for (let line = 0; line < Number(process.argv[2]); line++) {
  const bytes = Buffer.from(("line " + line + " ação").padEnd(37, ".") + "\\n");
  for (let at = 0; at < bytes.length;)
    try { at += writeSync(1, bytes, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
  if (line % 100 === 99) Atomics.wait(pause, 0, 0, 5);
}
`;
const amount = String(lines ?? megabytes);

const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
try {
  await mkdir(join(folder, "pipelines"));
  const writer = join(folder, "writer.cjs");
  await writeFile(writer, lines === undefined ? WRITER : SLOW_WRITER);
  const bare = await barePipe(writer);
  await writeFile(
    join(folder, "pipelines", "bench.yaml"),
    `steps:\n  loud: { run: ["${process.execPath}", "writer.cjs", "${amount}"], files: [writer.cjs] }\n`,
  );
  const result = { megabytes, bareMegabytesPerSecond: megabytes / bare.seconds, ...(await throughEngine(bare.digest)) };
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name}: ${Math.round(value * 100) / 100}`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function barePipe(writer: string): Promise<{ readonly seconds: number; readonly digest: string }> {
  const started = performance.now();
  const child = spawn(process.execPath, [writer, amount], { stdio: ["ignore", "pipe", "inherit"] });
  const hash = createHash("sha256");
  for await (const chunk of child.stdout) hash.update(chunk as Buffer);
  return { seconds: (performance.now() - started) / 1000, digest: hash.digest("hex") };
}

async function throughEngine(expected: string): Promise<Record<string, number>> {
  const store = await openMetadataStore(values.address ?? join(folder, "metadata.sqlite"));
  const kinds = [createRunKind() as StepKind<never>];
  const { engine, objects } = await openBenchEngine({ store, folder, kinds });
  const id = await engine.submit({ pipeline: "bench", actor: "bench" });
  const started = performance.now();
  const cpu = process.cpuUsage();
  const run = await engine.runToEnd(id);
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  if (run.status !== "succeeded") throw new Error(`the run ended as ${run.status}: ${JSON.stringify(run.error)}`);
  const readStarted = performance.now();
  const hash = createHash("sha256");
  const [stepRun] = await store.read((transaction) => listStepRuns(transaction, { pipelineRunId: id }));
  for await (const { text } of followLog({ store, objects }, { stepRunId: stepRun?.id ?? "" })) hash.update(text);
  const readSeconds = (performance.now() - readStarted) / 1000;
  if (hash.digest("hex") !== expected) throw new Error("the log is not what the step wrote");
  await engine.stop();
  await store.close();
  return {
    megabytesPerSecond: megabytes / seconds,
    readMegabytesPerSecond: megabytes / readSeconds,
    engineProcessorSeconds: (used.user + used.system) / 1e6,
    metadataMegabytes: values.address === undefined ? (await stat(join(folder, "metadata.sqlite"))).size / 1e6 : NaN,
    objectMegabytes: (await sizeOf(join(folder, "objects"))) / 1e6,
    residentMegabytes: process.memoryUsage().rss / 1e6,
  };
}

async function sizeOf(path: string): Promise<number> {
  let size = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []))
    if (entry.isFile()) size += (await stat(join(entry.parentPath, entry.name))).size;
  return size;
}
