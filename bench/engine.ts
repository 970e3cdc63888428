// Overhead of the engine: a chain of 200 and a fan-out of 1,000 no-op steps, against the bare spawn of the same
// processes.
// Usage: node bench/engine.ts [--runs 3] [--json]
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRunKind } from "#executors";
import { openMetadataStore } from "#metadata-store";
import { type StepKind } from "#pipeline";
import { openBenchEngine } from "./bench-engine.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    chain: { type: "string", default: "200" },
    fan: { type: "string", default: "1000" },
  },
});
const chainLength = Number(values.chain);
const fanWidth = Number(values.fan);
const concurrency = 4;

function chainPipeline(length: number): string {
  const steps = Array.from(
    { length },
    (_, index) => `  s${index}: { run: ["true"]${index === 0 ? "" : `, needs: s${index - 1}`} }`,
  );
  return `steps:\n${steps.join("\n")}\n`;
}

function fanPipeline(width: number): string {
  return `steps:\n  all:\n    run: ["true"]\n    matrix: { n: [${Array.from({ length: width }, (_, index) => index).join(", ")}] }\n`;
}

interface Measured {
  readonly wallMs: number;
  /** Processor time of this process alone, forks included: hardly changed by what else the machine does. */
  readonly cpuMs: number;
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

async function bareSpawn(count: number, parallel: number): Promise<Measured> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next++ < count)
      await new Promise((resolve) =>
        spawn("true", { stdio: ["pipe", "pipe", "pipe"], detached: true }).on("close", resolve),
      );
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return { wallMs: performance.now() - started, cpuMs: cpuMs(cpu) };
}

async function engineRun(pipeline: string): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "pipelines", "bench.yaml"), pipeline);
  const store = await openMetadataStore(join(folder, "metadata.sqlite"));
  const kinds = [createRunKind() as StepKind<never>];
  const { engine } = await openBenchEngine({ store, folder, kinds, concurrency });
  const started = performance.now();
  const cpu = process.cpuUsage();
  const id = await engine.submit({ pipeline: "bench", actor: "bench" });
  const run = await engine.runToEnd(id);
  const taken = { wallMs: performance.now() - started, cpuMs: cpuMs(cpu) };
  if (run.status !== "succeeded") throw new Error(`the run ended as ${run.status}: ${JSON.stringify(run.error)}`);
  await engine.stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
  return taken;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const results = [];
for (const [name, count, parallel, pipeline] of [
  ["chain", chainLength, 1, chainPipeline(chainLength)],
  ["fan-out", fanWidth, concurrency, fanPipeline(fanWidth)],
] as const) {
  const bare: Measured[] = [];
  const engine: Measured[] = [];
  for (let run = 0; run < Number(values.runs); run++) {
    bare.push(await bareSpawn(count, parallel));
    engine.push(await engineRun(pipeline));
  }
  const bareMs = median(bare.map((one) => one.wallMs));
  const engineMs = median(engine.map((one) => one.wallMs));
  const ownCpuMsPerStep = (median(engine.map((one) => one.cpuMs)) - median(bare.map((one) => one.cpuMs))) / count;
  const result = {
    name,
    steps: count,
    bareMs,
    engineMs,
    ownMsPerStep: (engineMs - bareMs) / count,
    ownCpuMsPerStep,
    ratio: engineMs / bareMs,
  };
  results.push(result);
  if (!values.json) {
    console.log(
      `${name} of ${count}: engine ${(result.engineMs / 1000).toFixed(2)} s, bare spawn ${(result.bareMs / 1000).toFixed(2)} s, own ${result.ownMsPerStep.toFixed(2)} ms per step, of which processor ${result.ownCpuMsPerStep.toFixed(2)} ms (${result.ratio.toFixed(1)} ×), medians of ${values.runs}`,
    );
  }
}
if (values.json) console.log(JSON.stringify(results));
