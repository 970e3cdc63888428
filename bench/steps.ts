// What the engine itself costs per step: steps of a kind that does nothing, in this process, without processes and
// workspaces. Statements are counted where they reach the database's driver.
// Usage: node bench/steps.ts [--runs 3] [--chain 200] [--fan 1000] [--postgres postgres://…?schema=bench]
//   [--history 100000] [--against CHECKOUT] [--statements] [--json]
// `--history` fills the store with so many ended step runs before. `--against` alternates with another checkout that
// has this script, and prints the ratio. `--statements` lists them, with how often each ran per step.
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { z } from "zod";
import { openMetadataStore } from "#metadata-store";
import { type StepKind } from "#pipeline";
import { openBenchEngine } from "./bench-engine.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    chain: { type: "string", default: "200" },
    fan: { type: "string", default: "1000" },
    concurrency: { type: "string", default: "4" },
    history: { type: "string", default: "0" },
    postgres: { type: "string" },
    against: { type: "string" },
    statements: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const measured = z.array(z.object({ name: z.string(), cpuMs: z.number(), wallMs: z.number(), statements: z.number() }));
type Measured = z.infer<typeof measured>[number];

const counts = new Map<string, number>();

function count(statement: string): void {
  counts.set(statement, (counts.get(statement) ?? 0) + 1);
}

/** Wraps the drivers' own entry points: nothing above them knows of it. */
function countStatements(): void {
  const { exec } = DatabaseSync.prototype;
  for (const name of ["all", "run", "get"] as const) {
    const original = StatementSync.prototype[name];
    Reflect.set(StatementSync.prototype, name, function (this: StatementSync, ...parameters: unknown[]) {
      count(this.sourceSQL);
      return Reflect.apply(original, this, parameters);
    });
  }
  DatabaseSync.prototype.exec = function (sql) {
    count(sql);
    exec.call(this, sql);
  };
  const query = Reflect.get(pg.Client.prototype, "query");
  Reflect.set(pg.Client.prototype, "query", function (this: pg.Client, ...given: unknown[]) {
    const [first] = given;
    const text: unknown = typeof first === "object" && first !== null && "text" in first ? first.text : first;
    count(String(text));
    return Reflect.apply(query, this, given);
  });
}

const noop: StepKind<{ readonly noop: string | number }> = {
  name: "noop",
  load: "code",
  schema: z.strictObject({ noop: z.union([z.string(), z.number()]) }),
  describe: () => "nothing",
  analyse: () => Promise.resolve({ inputs: [], makes: [], files: [], problems: [] }),
  execute: () => Promise.resolve({ status: "succeeded", made: [] }),
};

const chain = (length: number): string =>
  `steps:\n${Array.from({ length }, (_, at) => `  s${at}: { noop: ${at}${at === 0 ? "" : `, needs: s${at - 1}`} }`).join("\n")}\n`;
const fan = (width: number): string =>
  `steps:\n  all:\n    noop: \${{ matrix.n }}\n    matrix: { n: [${Array.from({ length: width }, (_, at) => at).join(", ")}] }\n`;

async function measure(name: string, pipeline: string, steps: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "pipelines", "bench.yaml"), pipeline);
  await writeFile(
    join(folder, "pipelines", "history.yaml"),
    fan(Math.max(1, Math.min(10_000, Number(values.history)))),
  );
  await writeFile(join(folder, "pipelines", "first.yaml"), chain(100));
  const store = await openMetadataStore(values.postgres ?? join(folder, "metadata.sqlite"));
  const kinds = [noop as StepKind<never>];
  const project = `bench-${process.pid}-${performance.now()}`;
  const { engine } = await openBenchEngine({ store, folder, kinds, project, concurrency: Number(values.concurrency) });
  const runOf = async (pipelineName: string): Promise<void> => {
    const run = await engine.runToEnd(await engine.submit({ pipeline: pipelineName, actor: "bench" }));
    if (run.status !== "succeeded") throw new Error(`the run ended as ${run.status}: ${JSON.stringify(run.error)}`);
  };
  // What runs for the first time is compiled meanwhile.
  await runOf("first");
  for (let filled = 0; filled < Number(values.history); filled += 10_000) await runOf("history");
  counts.clear();
  const started = performance.now();
  const cpu = process.cpuUsage();
  await runOf("bench");
  const { user, system } = process.cpuUsage(cpu);
  const wallMs = (performance.now() - started) / steps;
  const statements = [...counts.values()].reduce((sum, one) => sum + one, 0) / steps;
  await engine.stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
  return { name, cpuMs: (user + system) / 1000 / steps, wallMs, statements };
}

async function measureHere(): Promise<Measured[]> {
  const [length, width] = [Number(values.chain), Number(values.fan)];
  const results: Measured[] = [];
  if (length > 0) results.push(await measure(`chain of ${length}`, chain(length), length));
  if (values.statements && length > 0) list(length);
  if (width > 0) results.push(await measure(`fan-out of ${width}`, fan(width), width));
  if (values.statements && width > 0) list(width);
  return results;
}

function list(steps: number): void {
  for (const [statement, times] of [...counts].toSorted(([, left], [, right]) => right - left))
    if (times > steps / 100)
      console.log(`${(times / steps).toFixed(2)}  ${statement.replaceAll(/\s+/g, " ").slice(0, 160)}`);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** In a process of its own: what came before it has no part in it. */
function measureIn(checkout: string): Measured[] {
  const own = ["chain", "fan", "concurrency", "history"] as const;
  const args = own.flatMap((name) => [`--${name}`, values[name]]);
  if (values.postgres !== undefined) args.push("--postgres", values.postgres);
  const script = join(checkout, "bench", "steps.ts");
  const { stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, script, "--runs", "0", ...args], {
    encoding: "utf8",
  });
  if (stdout === "") throw new Error(stderr);
  return measured.parse(JSON.parse(stdout));
}

if (values.runs === "0" || values.statements) {
  countStatements();
  const results = await measureHere();
  console.log(JSON.stringify(results));
} else {
  const here: Measured[][] = [];
  const there: Measured[][] = [];
  for (let run = 0; run < Number(values.runs); run++) {
    here.push(measureIn(resolve(import.meta.dirname, "..")));
    if (values.against !== undefined) there.push(measureIn(resolve(values.against)));
  }
  const results = (here[0] ?? []).map(({ name, statements }, at) => {
    const cpuMs = median(here.map((one) => one[at]?.cpuMs ?? Number.NaN));
    const wallMs = median(here.map((one) => one[at]?.wallMs ?? Number.NaN));
    const before = median(there.map((one) => one[at]?.cpuMs ?? Number.NaN));
    return { name, cpuMs, wallMs, statements, ...(there.length === 0 ? {} : { before, ratio: cpuMs / before }) };
  });
  if (values.json) console.log(JSON.stringify(results));
  else
    for (const { name, cpuMs, wallMs, statements, before, ratio } of results)
      console.log(
        `${name}: ${cpuMs.toFixed(2)} ms of processor time per step, ${wallMs.toFixed(2)} ms, ${statements.toFixed(1)} statements` +
          (ratio === undefined ? "" : `; before ${before?.toFixed(2)} ms (${ratio.toFixed(2)} of it)`) +
          `; medians of ${values.runs}`,
      );
}
