// How lint, plan, submit, cancel and the pages of a pipeline grow with its steps: 50, 500 and 5,000 of them, whose
// ratio is 10 where the cost is linear.
// The raw limit beside them: reading the same YAML text with the bare parser, inserting as many bare rows into SQLite.
// Usage: node bench/plan.ts [--runs 3] [--json]
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { openStorePlatform, planPipeline, type Platform } from "#app";
import { silentLog } from "#base";
import { loadProjectConfig, readSettings } from "#config";
import { callApi } from "#server";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "3" }, json: { type: "boolean", default: false } },
});
const SIZES = [50, 500, 5000] as const;
const identity = { name: "bench", kind: "local", roles: [{ project: "*", role: "admin" }] } as const;

/** Chains of ten steps, every tenth of which also waits for the chain before. */
function pipelineText(steps: number): string {
  const needs = (index: number): string => {
    const of = [...(index % 10 === 0 ? [] : [index - 1]), ...(index % 10 === 0 && index >= 10 ? [index - 10] : [])];
    return of.length === 0 ? "" : `, needs: [${of.map((need) => `step_${need}`).join(", ")}]`;
  };
  return `params: { depth: 3 }\nsteps:\n${Array.from({ length: steps }, (_, index) => `  step_${index}: { run: "echo $DEPTH", env: { DEPTH: "\${{ params.depth }}" }${needs(index)} }`).join("\n")}\n`;
}

interface Measured {
  readonly wallMs: number;
  readonly cpuMs: number;
}

async function measure(work: () => unknown): Promise<Measured> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - started, cpuMs: (user + system) / 1000 };
}

async function openProject(folder: string): Promise<{ readonly platform: Platform; close(): Promise<void> }> {
  const config = await loadProjectConfig(folder);
  const opened = await openStorePlatform({ config, isProject: true, settings: readSettings(), log: silentLog });
  const platform = await opened.whole();
  return { platform, close: () => opened.close() };
}

async function measureSize(steps: number): Promise<Readonly<Record<string, Measured>>> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  await mkdir(join(folder, "pipelines"));
  const text = pipelineText(steps);
  await writeFile(join(folder, "esteira.yaml"), "name: bench\n");
  await writeFile(join(folder, "pipelines", "bench.yaml"), text);
  const { platform, close } = await openProject(folder);
  const call = { identity, signal: new AbortController().signal };
  const found: Record<string, Measured> = {};
  found["raw: parse the YAML"] = await measure(() => parse(text) as unknown);
  found["raw: insert the rows"] = await measure(() => insertRows(join(folder, "raw.sqlite"), steps));
  found["lint"] = await measure(() => platform.loadProject());
  await platform.registerProject("bench");
  found["plan"] = await measure(() => planPipeline(platform, { pipeline: "bench", params: {} }));
  let id = "";
  found["submit"] = await measure(
    async () => (id = await platform.engine.submit({ pipeline: "bench", actor: "bench" })),
  );
  found["run page"] = await measure(() => callApi(platform, "getPipelineRun", { ...call, params: { id } }));
  found["pipeline page"] = await measure(() =>
    callApi(platform, "getPipeline", { ...call, params: { name: "bench" } }),
  );
  found["cancel"] = await measure(() => platform.engine.cancel(id, "bench"));
  found["resume"] = await measure(() => platform.engine.resume(id, { actor: "bench" }));
  await close();
  await rm(folder, { recursive: true, force: true });
  return found;
}

/** As many rows as a submitted run has, one transaction, one prepared statement. */
function insertRows(file: string, count: number): void {
  const database = new DatabaseSync(file);
  database.exec(
    "pragma journal_mode=wal; create table step (id text primary key, run text, name text, position integer, status text); begin",
  );
  const insert = database.prepare("insert into step values (?, ?, ?, ?, ?)");
  for (let index = 0; index < count * 2; index++) insert.run(`id-${index}`, "run", `step_${index}`, index, "pending");
  database.exec("commit");
  database.close();
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

await measureSize(50);
const bySize = new Map<number, Readonly<Record<string, Measured>>[]>(SIZES.map((steps) => [steps, []]));
for (let run = 0; run < Number(values.runs); run++)
  for (const steps of SIZES) bySize.get(steps)?.push(await measureSize(steps));
const names = Object.keys(bySize.get(50)?.[0] ?? {});
const results = names.map((name) => {
  const of = (steps: number, key: keyof Measured): number =>
    median((bySize.get(steps) ?? []).map((run) => run[name]?.[key] ?? Number.NaN));
  return {
    name,
    cpuMs: SIZES.map((steps) => of(steps, "cpuMs")),
    wallMs: SIZES.map((steps) => of(steps, "wallMs")),
    growth: of(5000, "cpuMs") / of(500, "cpuMs"),
  };
});
if (values.json) console.log(JSON.stringify(results));
else {
  for (const { name, cpuMs, wallMs, growth } of results) {
    const shown = SIZES.map(
      (steps, index) => `${steps}: ${(cpuMs[index] ?? 0).toFixed(1)} ms (wall ${(wallMs[index] ?? 0).toFixed(1)})`,
    ).join(", ");
    console.log(`${name}: processor time of ${shown}; 500 → 5,000 grows ${growth.toFixed(1)} ×`);
  }
}
