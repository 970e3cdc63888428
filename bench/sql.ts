// Datasets asked over PostgreSQL's protocol, against DuckDB in this process on the same Parquet files, and against
// PostgreSQL itself with the same rows (127.0.0.1:5432, role root; left out where there is none).
// Usage: node bench/sql.ts [--rows 1000000] [--runs 7]
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import pg from "pg";
import { openPlatform } from "#app";
import { loadProjectConfig, readSettings } from "#config";
import { silentLog } from "#base";
import { servePostgres } from "#server";
import { runEsteira } from "../test/setup/command-line.ts";

const { values } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, runs: { type: "string", default: "7" } },
});
const rows = Number(values.rows);
const runs = Number(values.runs);
const MADE = `SELECT i AS id, i % 1000 AS k, i * 0.5 AS x, 'name ' || i AS s FROM range(${rows}) AS t(i)`;
const QUERIES = {
  "one row by its key": "SELECT * FROM made WHERE id = 4711",
  "a sum for each of 1,000 groups": "SELECT k, count(*), sum(x) FROM made GROUP BY k",
  [`all ${rows.toLocaleString("en")} rows`]: "SELECT * FROM made",
};

const folder = await mkdtemp(join(tmpdir(), "esteira-sql-"));
try {
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: bench\n");
  await writeFile(join(folder, "made.sql"), MADE);
  await writeFile(join(folder, "pipelines/made.yaml"), "steps:\n  made: { sql: made.sql }\n");
  const { code, stderr } = await runEsteira(folder, ["run", "made"]);
  if (code !== 0) throw new Error(stderr);
  const platform = await openPlatform({
    config: await loadProjectConfig(folder),
    isProject: true,
    settings: readSettings(process.env, false),
    log: silentLog,
  });
  const served = await servePostgres(platform, {
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    limits: { seconds: 600, rows: rows + 1, connections: 4, memoryBytes: undefined },
  });
  const ours = await connect({ host: "127.0.0.1", port: served.port, database: "bench", user: "any" });
  const peer = await connect({ host: "127.0.0.1", port: 5432, database: "postgres", user: "root" }).catch(
    () => undefined,
  );
  await peer?.query(
    `CREATE TEMP TABLE made AS SELECT i::bigint AS id, (i % 1000)::bigint AS k, i * 0.5::float8 AS x, 'name ' || i AS s FROM generate_series(0, ${rows - 1}) AS t(i)`,
  );
  const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  await duckdb.run(`CREATE VIEW made AS SELECT * FROM read_parquet('${folder}/.esteira/datasets/made/*.parquet')`);
  process.stdout.write(`median of ${runs}, ms${" ".repeat(24)}ours   DuckDB here   PostgreSQL\n`);
  for (const [name, sql] of Object.entries(QUERIES)) {
    const [mine, raw, other] = await alternate([
      () => ours.query(sql),
      async () => (await duckdb.runAndReadAll(sql)).getRowsJson(),
      ...(peer === undefined ? [] : [() => peer.query(sql)]),
    ]);
    process.stdout.write(
      `${name.padEnd(36)}${(mine ?? 0).toFixed(1).padStart(9)}${shown(raw, mine)}${shown(other, mine)}\n`,
    );
  }
  await Promise.all([ours.end(), peer?.end()]);
  await served.close();
  await platform.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}

function shown(time: number | undefined, mine: number | undefined): string {
  return time === undefined ? "" : `${time.toFixed(1).padStart(9)} (${((mine ?? 0) / time).toFixed(1)} ×)`;
}

async function connect(facts: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(facts);
  await client.connect();
  return client;
}

/** Each in turn, so that a busy moment meets all; medians in milliseconds. */
async function alternate(works: readonly (() => Promise<unknown>)[]): Promise<readonly number[]> {
  const times = works.map((): number[] => []);
  for (let run = 0; run <= runs; run++)
    for (const [index, work] of works.entries()) {
      const begin = performance.now();
      await work();
      if (run > 0) times[index]?.push(performance.now() - begin);
    }
  return times.map((each) => each.toSorted((left, right) => left - right)[each.length >> 1] ?? Number.NaN);
}
