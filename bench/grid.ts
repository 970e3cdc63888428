// The grids and the timeline of a pipeline run with 10,000 items, and of a pipeline with 10,000 partitions of 3 steps:
// what the server answers, by wall time of one caller and processor time.
// Usage: node bench/grid.ts [--items 10000] [--keep FOLDER]
// The runs are real to the last one: `esteira run` makes one of each, whose rows are then copied to the others.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startServer } from "./started-server.ts";

const MAIN = resolve(import.meta.dirname, "../src/cli/main.ts");
const CALLS = 20;
const STATES = ["succeeded", "succeeded", "succeeded", "failed", "cancelled", "skipped", "succeeded"];

const { values } = parseArgs({
  options: { items: { type: "string", default: "10000" }, keep: { type: "string" } },
});
const count = Number(values.items);
const folder = values.keep === undefined ? mkdtempSync(join(tmpdir(), "grid-")) : resolve(values.keep);
try {
  // A folder that was kept has its store.
  const run = existsSync(join(folder, ".esteira")) ? findRun(folder) : makeStore(folder, count);
  const server = await startServer(folder);
  try {
    process.stdout.write(`${count} items, ${count} partitions of 3 steps; median and worst of ${CALLS} calls\n`);
    for (const path of [
      `pipeline-runs/${run}/grid`,
      `pipeline-runs/${run}`,
      `pipeline-runs/${run}/step-runs?limit=1000`,
      "pipelines/days/partitions/grid",
    ])
      await measure(server, path);
  } finally {
    await server.stop();
  }
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function measure(server: Awaited<ReturnType<typeof startServer>>, path: string): Promise<void> {
  const call = async (): Promise<number> => {
    const response = await fetch(`${server.url}/api/v1/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.arrayBuffer()).byteLength;
  };
  let size = 0;
  for (let warm = 0; warm < 5; warm++) size = await call();
  const before = await server.cpuMs();
  const walls: number[] = [];
  for (let at = 0; at < CALLS; at++) {
    const began = performance.now();
    await call();
    walls.push(performance.now() - began);
  }
  const cpu = ((await server.cpuMs()) - before) / CALLS;
  walls.sort((left, right) => left - right);
  const shown = [walls[CALLS / 2], walls.at(-1), cpu].map((ms) => `${(ms ?? 0).toFixed(1).padStart(7)} ms`);
  process.stdout.write(
    `${path.replace(/[0-9A-Z]{26}/, "RUN").padEnd(44)} wall ${shown[0]}, worst ${shown[1]}, processor ${shown[2]}, ${(size / 1000).toFixed(0)} kB\n`,
  );
}

/** @returns id of the pipeline run with the items */
function makeStore(project: string, size: number): string {
  mkdirSync(join(project, "pipelines"), { recursive: true });
  writeFileSync(join(project, "esteira.yaml"), "name: grid\nisolation: none\n");
  writeFileSync(
    join(project, "pipelines/items.yaml"),
    "steps:\n  before: { run: 'true' }\n  work: { run: 'true', for_each: [1], needs: before }\n  after: { run: 'true', needs: work }\n",
  );
  const from = new Date(Date.now() - (size + 1) * 86_400_000).toISOString().slice(0, 10);
  writeFileSync(
    join(project, "pipelines/days.yaml"),
    `partitions: { every: day, start: ${from}, end: ${new Date().toISOString().slice(0, 10)} }\nsteps:\n  load: { run: 'true' }\n  clean: { run: 'true', needs: load }\n  publish: { run: 'true', needs: clean }\n`,
  );
  const esteira = (...words: string[]): string =>
    execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...words], {
      cwd: project,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  const { id } = JSON.parse(esteira("run", "items", "--json")) as { id: string };
  esteira("run", "days", "--partition", from, "--json");
  const database = new DatabaseSync(join(project, ".esteira/metadata.sqlite"));
  const [state, stepState] = ["pipeline_run", "step_run"].map((table) => columnsOf(database, table));
  const status = `case n % ${STATES.length} ${STATES.map((name, at) => `when ${at} then '${name}'`).join(" ")} end`;
  const series = `with recursive many(n) as (select 1 union all select n + 1 from many where n < ${size - 1})`;
  database.exec("begin");
  database.exec(
    `${series} insert into step_run select ${stepState?.({
      id: "substr(s.id, 1, 20) || printf('%06d', n)",
      matrix_index: "n + 1",
      matrix: `'{"item":' || (n + 1) || '}'`,
      status,
    })} from many, step_run s where s.pipeline_run_id = '${id}' and s.step = 'work' and s.matrix_index = 1`,
  );
  database.exec(
    `${series} insert into pipeline_run select ${state?.({
      id: "substr(s.id, 1, 20) || printf('%06d', n)",
      partition: "date(s.partition, '+' || n || ' days')",
    })} from many, pipeline_run s where s.pipeline = 'days'`,
  );
  database.exec(
    `${series} insert into step_run select ${stepState?.({
      id: "substr(s.id, 1, 20) || printf('%05d', n) || s.position",
      pipeline_run_id: "substr(s.pipeline_run_id, 1, 20) || printf('%06d', n)",
      status,
    })} from many, step_run s where s.pipeline = 'days'`,
  );
  database.exec("commit");
  database.close();
  return id;
}

function findRun(project: string): string {
  const database = new DatabaseSync(join(project, ".esteira/metadata.sqlite"), { readOnly: true });
  const found = database.prepare("select id from pipeline_run where pipeline = 'items'").get();
  database.close();
  return String(found?.["id"]);
}

/** All columns of a table as they are in `s`, but for those that are given. */
function columnsOf(database: DatabaseSync, table: string): (given: Readonly<Record<string, string>>) => string {
  const names = database.prepare(`select name from pragma_table_info('${table}')`).all() as { readonly name: string }[];
  return (given) => names.map(({ name }) => given[name] ?? `s.${name}`).join(", ");
}
