// Pipeline runs of ten steps, one after the other, alone and beside twenty clients that log batches of metrics into the
// same store.
// Usage: node bench/engine-under-load.ts [--runs 5] [--writers 20] [--postgres postgres://…?schema=bench] [--json]
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRunKind } from "#executors";
import { openMetadataStore } from "#metadata-store";
import { logMetrics } from "#metadata-store/tracking";
import { type StepKind } from "#pipeline";
import { openBenchEngine } from "./bench-engine.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    writers: { type: "string", default: "20" },
    postgres: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const STEPS = 10;

const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
await mkdir(join(folder, "pipelines"));
await writeFile(
  join(folder, "pipelines", "ten.yaml"),
  `steps:\n${Array.from({ length: STEPS }, (_, index) => `  s${index}: { run: ["true"]${index === 0 ? "" : `, needs: s${index - 1}`} }`).join("\n")}\n`,
);
const store = await openMetadataStore(values.postgres ?? join(folder, "metadata.sqlite"));
const kinds = [createRunKind() as StepKind<never>];
const { engine } = await openBenchEngine({ store, folder, kinds });

async function runOnce(): Promise<number> {
  const started = performance.now();
  const id = await engine.submit({ pipeline: "ten", actor: "bench" });
  const run = await engine.runToEnd(id);
  if (run.status !== "succeeded") throw new Error(`the run ended as ${run.status}`);
  return performance.now() - started;
}

/** Clients that log batches without a pause until they are stopped; returns how many they logged. */
async function logUntil(signal: AbortSignal): Promise<number> {
  let logged = 0;
  const writer = async (name: number): Promise<void> => {
    for (let step = 0; !signal.aborted; step++) {
      const points = Array.from({ length: 10 }, (_, index) => ({
        key: `m${index}`,
        value: step,
        timestampMs: Date.now(),
        step,
      }));
      await store.write((transaction) => logMetrics(transaction, name + 1, points, Date.now()));
      logged++;
    }
  };
  await Promise.all(Array.from({ length: Number(values.writers) }, (_, name) => writer(name)));
  return logged;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

await runOnce();
const alone: number[] = [];
const loaded: number[] = [];
let batches = 0;
let loadedMs = 0;
for (let run = 0; run < Number(values.runs); run++) {
  alone.push(await runOnce());
  const stop = new AbortController();
  const load = logUntil(stop.signal);
  const began = performance.now();
  loaded.push(await runOnce());
  stop.abort();
  batches += await load;
  loadedMs += performance.now() - began;
}
await engine.stop();
await store.close();
await rm(folder, { recursive: true, force: true });
const result = {
  aloneMs: median(alone),
  loadedMs: median(loaded),
  ratio: median(loaded) / median(alone),
  batchesPerSecond: (batches / loadedMs) * 1000,
};
console.log(
  values.json
    ? JSON.stringify(result)
    : `a run of ${STEPS} steps: alone ${result.aloneMs.toFixed(0)} ms, beside ${values.writers} writers ${result.loadedMs.toFixed(0)} ms (${result.ratio.toFixed(1)} ×), which logged ${result.batchesPerSecond.toFixed(0)} batches/s; medians of ${values.runs}`,
);
