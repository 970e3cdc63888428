/**
 * Reading and checking a project of 1,000 SQL models: `esteira lint`, the whole command, against `dbt parse` and
 * `dbt compile` of dbt-core on the same models, without and with what dbt keeps of an earlier parse.
 *
 *   node bench/compile.ts [--models 1000] [--runs 3]
 *
 * Seconds are the clock's and the processor's, of the process and all that it starts; the median of the runs.
 */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { testPython } from "../test/setup/python-environment.ts";

const { values } = parseArgs({
  options: { models: { type: "string", default: "1000" }, runs: { type: "string", default: "3" } },
});
const models = Number(values.models);
const environment = await testPython(["dbt-core==1.11.16", "dbt-duckdb==1.10.1", "duckdb==1.4.5"]);
if ("problem" in environment) throw new Error(`The peer cannot be started: ${environment.problem}`);
const dbt = `${environment.python} -c "from dbt.cli.main import cli; cli()"`;
const esteira = resolve(import.meta.dirname, "../bin/esteira");
// What is installed runs from a bundle.
execFileSync(process.execPath, [resolve(import.meta.dirname, "../scripts/build-cli.ts"), "--quiet"]);
const folder = await mkdtemp(join(tmpdir(), "esteira-compile-"));

/** Layers of a hundred models; each joins two of the layer before, aggregates and ranks. */
function modelText(index: number, named: (model: string) => string): string {
  if (index < 100) return `SELECT ${index} AS id, 'a' AS name, CAST('2026-01-01' AS DATE) AS day, 1.5 AS amount\n`;
  const [one, other] = [index - 100, index - 100 + (index % 100 === 99 ? 0 : 1)].map((at) => named(`model_${at}`));
  return `WITH joined AS (
  SELECT a.id, a.name, a.day, a.amount + coalesce(b.amount, 0) AS amount
  FROM ${one} AS a
  LEFT JOIN ${other} AS b ON a.id = b.id AND a.day >= b.day
  WHERE a.amount > 0
),
totals AS (
  SELECT id, name, max(day) AS day, sum(amount) AS amount, count(*) AS joined_rows
  FROM joined
  GROUP BY id, name
)
SELECT id, name, day, amount, row_number() OVER (PARTITION BY name ORDER BY amount DESC) AS place
FROM totals
`;
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

interface Cost {
  readonly seconds: number;
  readonly processorSeconds: number;
}

function costOf(command: string, before = "true"): Cost {
  const costs = Array.from({ length: Number(values.runs) }, () => {
    execFileSync("bash", ["-c", before], { cwd: folder });
    const timed = `exec 3>&2; TIMEFORMAT='%R %U %S'; { time ${command} >out 2>&1 || { cat out >&3; exit 1; }; } 2>&1`;
    const [real = 0, user = 0, system = 0] = execFileSync("bash", ["-c", timed], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, DO_NOT_TRACK: "1" },
    })
      .trim()
      .split(" ")
      .map(Number);
    return { seconds: real, processorSeconds: user + system };
  });
  const median = (of: (cost: Cost) => number): number =>
    costs.map(of).sort((a, b) => a - b)[Math.floor(costs.length / 2)] ?? Number.NaN;
  return { seconds: median((cost) => cost.seconds), processorSeconds: median((cost) => cost.processorSeconds) };
}

try {
  await write("esteira.yaml", "name: bench\n");
  await write("dbt/dbt_project.yml", "name: bench\nprofile: bench\n");
  await write(
    "profiles/profiles.yml",
    "bench: { target: dev, outputs: { dev: { type: duckdb, path: ':memory:' } } }\n",
  );
  const steps: string[] = [];
  for (let index = 0; index < models; index++) {
    steps.push(`  model_${index}: { sql: sql/model_${index}.sql }\n`);
    await write(
      `sql/model_${index}.sql`,
      modelText(index, (model) => model),
    );
    await write(
      `dbt/models/model_${index}.sql`,
      modelText(index, (model) => `{{ ref('${model}') }}`),
    );
  }
  await write("pipelines/models.yaml", `steps:\n${steps.join("")}`);
  const flags = "--quiet --project-dir dbt --profiles-dir profiles --no-version-check";
  const forget = "rm -rf dbt/target";
  const ours = costOf(`${esteira} lint`);
  const rows: readonly (readonly [string, Cost])[] = [
    ["esteira lint", ours],
    ["dbt parse, the first", costOf(`${dbt} parse ${flags}`, forget)],
    ["dbt parse, nothing changed", costOf(`${dbt} parse ${flags}`)],
    ["dbt compile, the first", costOf(`${dbt} compile ${flags}`, forget)],
    ["dbt compile, nothing changed", costOf(`${dbt} compile ${flags}`)],
  ];
  process.stdout.write(`${models} SQL models${" ".repeat(22)}seconds   of a processor   ours is faster by\n`);
  for (const [name, { seconds, processorSeconds }] of rows)
    process.stdout.write(
      `${name.padEnd(32)}${seconds.toFixed(2).padStart(9)}${processorSeconds.toFixed(2).padStart(17)}${`${(seconds / ours.seconds).toFixed(1)} ×, ${(processorSeconds / ours.processorSeconds).toFixed(1)} ×`.padStart(20)}\n`,
    );
} finally {
  await rm(folder, { recursive: true, force: true });
}
