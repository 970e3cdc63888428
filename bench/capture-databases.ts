/**
 * Capture of a table of a database into a Delta table, each in a process of its own, against the limit: PostgreSQL's
 * own `psql \copy` of the same table to a CSV file, which types, checks, profiles and commits nothing.
 *
 * Usage: node bench/capture-databases.ts [--rows 5000000] [--only postgres,mysql,sqlite]
 *
 * MySQL and SQLite get a fifth of the rows. Prints JSON lines: seconds, rows a second, peak of memory in MB.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { TEST_MYSQL, TEST_POSTGRES } from "../test/setup/databases.ts";
import { costOf, openCaptureProject } from "./capture-project.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "5000000" },
    only: { type: "string", default: "postgres,mysql,sqlite" },
    /** The capture itself, in a process of its own. */
    declaration: { type: "string" },
  },
});
const TABLE = "esteira_bench_orders";

function print(result: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ bench: "capture-databases", ...result })}\n`);
}

async function captureHere(declaration: string, rows: number): Promise<void> {
  const project = await openCaptureProject({
    captureHosts: ["127.0.0.1", "localhost"],
    captureFolders: ["/"],
    secret: (name) => ({ POSTGRES: TEST_POSTGRES, MYSQL: TEST_MYSQL })[name],
  });
  const declared = JSON.parse(declaration) as Readonly<Record<string, unknown>>;
  const { seconds, processorSeconds } = await costOf(() => project.capture("orders", declared, rows));
  const peakMegabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  const again = await costOf(() => project.capture("orders", declared, 0));
  await project.close();
  print({ seconds, processorSeconds, rowsPerSecond: Math.round(rows / seconds), peakMegabytes, again: again.seconds });
}

function measure(name: string, rows: number, capture: object): Record<string, unknown> {
  const text = execFileSync(
    process.execPath,
    [import.meta.filename, "--declaration", JSON.stringify({ capture }), "--rows", String(rows)],
    { encoding: "utf8" },
  );
  return { ...(JSON.parse(text) as object), source: name, rows };
}

const cursor = { column: "id" };

async function benchPostgres(rows: number): Promise<void> {
  const client = new pg.Client(TEST_POSTGRES);
  await client.connect();
  await client.query(`drop table if exists ${TABLE}`);
  await client.query(`create table ${TABLE} as select g::bigint as id, (g * 37 % 100000)::int as customer, round((random() * 1000)::numeric, 2)::numeric(12,2) as amount,
    timestamptz '2026-01-01' + g * interval '1 second' as changed, 'order ' || g as note, g % 7 = 0 as paid from generate_series(1, ${rows}) g`);
  await client.query(`vacuum analyze ${TABLE}`);
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  try {
    const copy = await costOf(async () => {
      execFileSync("psql", [TEST_POSTGRES, "-qc", `\\copy ${TABLE} to '${join(folder, "orders.csv")}' csv`]);
    });
    const ours = measure("postgres", rows, { postgres: { secret: "POSTGRES", table: TABLE, cursor } });
    print({ ...ours, copySeconds: copy.seconds, copyRowsPerSecond: Math.round(rows / copy.seconds) });
  } finally {
    await client.query(`drop table ${TABLE}`);
    await client.end();
    await rm(folder, { recursive: true });
  }
}

async function benchMysql(rows: number): Promise<void> {
  const connection = await createConnection(TEST_MYSQL);
  await connection.query(`drop table if exists ${TABLE}`);
  await connection.query(
    `create table ${TABLE} (id bigint primary key, customer int, amount decimal(12,2), changed datetime(6), note varchar(40), paid tinyint(1))`,
  );
  await connection.query(
    `insert into ${TABLE} with recursive numbers as (select 1 as g union all select g + 1 from numbers where g < 1000) select a.g * 1000 + b.g, b.g * 37, round(rand() * 1000, 2), '2026-01-01' + interval a.g second, concat('order ', b.g), b.g % 7 = 0 from numbers a, numbers b where a.g <= ${rows / 1000}`,
  );
  try {
    print(measure("mysql", rows, { mysql: { secret: "MYSQL", table: TABLE, cursor } }));
  } finally {
    await connection.query(`drop table ${TABLE}`);
    await connection.end();
  }
}

async function benchSqlite(rows: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  const file = join(folder, "orders.db");
  const database = new DatabaseSync(file);
  database.exec(`create table ${TABLE} (id integer primary key, customer integer, amount real, changed timestamp, note text, paid boolean);
    insert into ${TABLE} with recursive n(g) as (select 1 union all select g + 1 from n where g < ${rows}) select g, g * 37 % 100000, random() / 1e15, datetime('2026-01-01', g || ' seconds'), 'order ' || g, g % 7 = 0 from n`);
  database.close();
  try {
    print(measure("sqlite", rows, { sqlite: { file, table: TABLE, cursor } }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (options.declaration === undefined) {
  const rows = Number(options.rows);
  const names = options.only.split(",");
  if (names.includes("postgres")) await benchPostgres(rows);
  if (names.includes("mysql")) await benchMysql(rows / 5);
  if (names.includes("sqlite")) await benchSqlite(rows / 5);
} else await captureHere(options.declaration, Number(options.rows));
