import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { randomBytes } from "node:crypto";
import pg from "pg";
import { openMetadataStore } from "#metadata-store";

const POSTGRES_URL = process.env["ESTEIRA_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1:5432/test";
const FOLDER = "src/metadata-store/schema";

/** The schema that all migrations make of an empty database, on both databases; PostgreSQL only where one answers. */
export async function dumpSchemas(): Promise<ReadonlyMap<string, string>> {
  const dumps = new Map([[`${FOLDER}/sqlite.sql`, await dumpSqlite()]]);
  const postgres = await dumpPostgres();
  if (postgres === undefined)
    process.stderr.write(`No PostgreSQL answers at ${POSTGRES_URL}: its schema dump was not compared.\n`);
  else dumps.set(`${FOLDER}/postgres.sql`, postgres);
  return dumps;
}

async function dumpSqlite(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-schema-"));
  try {
    const file = join(folder, "metadata.sqlite");
    await (await openMetadataStore(file)).close();
    const database = new DatabaseSync(file);
    const rows = database.prepare("select sql from sqlite_master where sql is not null order by type desc, name").all();
    database.close();
    return `-- Made by scripts/generate.ts\n\n${rows.map((row) => `${String(row["sql"]).replaceAll(/, "/g, ',\n  "')};`).join("\n\n")}\n`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function dumpPostgres(): Promise<string | undefined> {
  const schema = `dump_${randomBytes(5).toString("hex")}`;
  const client = new pg.Client({ connectionString: POSTGRES_URL, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
  } catch {
    return undefined;
  }
  try {
    await (await openMetadataStore(`${POSTGRES_URL}?schema=${schema}`)).close();
    const columns = await client.query<{ table_name: string; line: string }>(
      `select table_name, '  "' || column_name || '" ' || data_type || case when is_nullable = 'NO' then ' not null' else '' end as line
       from information_schema.columns where table_schema = $1 order by table_name, ordinal_position`,
      [schema],
    );
    const indexes = await client.query<{ indexdef: string }>(
      "select indexdef from pg_indexes where schemaname = $1 order by indexname",
      [schema],
    );
    const tables = Map.groupBy(columns.rows, (row) => row.table_name);
    const text = [...tables].map(
      ([name, rows]) => `create table "${name}" (\n${rows.map((row) => row.line).join(",\n")}\n);`,
    );
    return `-- Made by scripts/generate.ts\n\n${[...text, ...indexes.rows.map((row) => `${row.indexdef.replaceAll(`${schema}.`, "")};`)].join("\n\n")}\n`;
  } finally {
    await client.query(`drop schema if exists ${schema} cascade`);
    await client.end();
  }
}
