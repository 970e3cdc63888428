import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { isEsteiraError, messageOf } from "#base";
import { parseInt8, withoutPassword } from "../drivers/postgres.ts";
import { storeEmpty, storeNotEmpty, storeTooNew, storeUnreachable } from "../errors.ts";
import { applyMigrations } from "../migrate.ts";
import { migrations } from "../migrations.ts";
import type { PickedDriver } from "../pick-driver.ts";
import { ROWS_PER_BATCH, SCHEMA_TABLE, type Snapshot, type SnapshotRow, type SnapshotTarget } from "./snapshot.ts";

const INT8_TYPE = 20;
const DEFAULT_SCHEMA = "esteira";

/** Rows that a store has which a program has opened and nobody has used. */
const FIRST_ROWS: ReadonlyMap<string, number> = new Map([
  [SCHEMA_TABLE, Infinity],
  ["engine_instance", Infinity],
  ["experiment", 1],
]);

type PostgresDriver = Extract<PickedDriver, { kind: "postgres" }>;

/** Reads in one transaction of repeatable reads, by a cursor. */
export async function openPostgresSnapshot({ url, schema = DEFAULT_SCHEMA }: PostgresDriver): Promise<Snapshot> {
  const store = withoutPassword(url);
  const client = await connect(url, schema);
  try {
    await client.query("begin isolation level repeatable read read only");
    const names = await tableNames(client);
    if (!names.includes(SCHEMA_TABLE)) throw storeEmpty({ store });
    const found = await countRows(client, SCHEMA_TABLE);
    if (found > migrations.length) throw storeTooNew({ store, found, known: migrations.length });
    return {
      kind: "postgres",
      schema: found,
      tables: names.filter((name) => name !== SCHEMA_TABLE).sort(),
      async *rows(table) {
        await client.query(`declare snapshot_rows no scroll cursor for select * from ${pg.escapeIdentifier(table)}`);
        for (;;) {
          const { rows } = await client.query<SnapshotRow>(`fetch ${ROWS_PER_BATCH} from snapshot_rows`);
          if (rows.length > 0) yield rows;
          if (rows.length < ROWS_PER_BATCH) break;
        }
        await client.query("close snapshot_rows");
      },
      close: () => client.end(),
    };
  } catch (error) {
    await client.end();
    throw isEsteiraError(error) ? error : storeUnreachable({ store, reason: messageOf(error) }, error);
  }
}

/** One transaction for tables and rows: until the commit there is nothing. */
export async function openPostgresTarget(
  { url, schema = DEFAULT_SCHEMA }: PostgresDriver,
  count: number,
): Promise<SnapshotTarget> {
  const store = withoutPassword(url);
  const client = await connect(url, schema);
  try {
    await client.query(`create schema if not exists ${pg.escapeIdentifier(schema)}`);
    for (const table of await tableNames(client))
      if ((await countRows(client, table)) > (FIRST_ROWS.get(table) ?? 0)) throw storeNotEmpty({ store });
    await client.query("begin");
    // Empty tables of a program that was started here before may be of a later schema than the snapshot.
    for (const table of await tableNames(client)) await client.query(`drop table ${pg.escapeIdentifier(table)}`);
    await applyMigrations(kyselyOn(client), "postgres", count);
    // Migrations put first rows into some tables; the snapshot has its own.
    for (const table of await tableNames(client))
      if (table !== SCHEMA_TABLE) await client.query(`delete from ${pg.escapeIdentifier(table)}`);
  } catch (error) {
    await client.end();
    throw isEsteiraError(error) ? error : storeUnreachable({ store, reason: messageOf(error) }, error);
  }
  return {
    async insert(table, rows) {
      const name = pg.escapeIdentifier(table);
      const text = JSON.stringify(rows, (_, value: unknown) => (isJsonNumber(value) ? value : String(value)));
      await client.query(
        `insert into ${name} overriding system value select * from json_populate_recordset(null::${name}, $1::json)`,
        [text],
      );
    },
    async commit() {
      await advanceSequences(client);
      await client.query("commit");
    },
    close: () => client.end(),
  };
}

/** Kysely on one connection, in the transaction it is in. */
function kyselyOn(client: pg.Client): Kysely<never> {
  const connection = { query: client.query.bind(client), release: () => {} };
  const pool = { connect: async () => connection, end: async () => {} };
  return new Kysely<never>({ dialect: new PostgresDialect({ pool: pool as unknown as pg.Pool }) });
}

/** False for numbers that JSON cannot hold: PostgreSQL reads them from text as well. */
function isJsonNumber(value: unknown): boolean {
  if (typeof value === "bigint") return false;
  return typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0));
}

async function connect(url: string, schema: string): Promise<pg.Client> {
  const types = {
    getTypeParser: (id: number, format?: string) =>
      id === INT8_TYPE ? parseInt8 : pg.types.getTypeParser(id, format as "text"),
  };
  const client = new pg.Client({
    connectionString: url,
    options: `-c search_path=${schema}`,
    types: types as pg.CustomTypesConfig,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw storeUnreachable({ store: withoutPassword(url), reason: messageOf(error) }, error);
  }
}

async function tableNames(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ table_name: string }>(
    "select table_name from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE'",
  );
  return rows.map(({ table_name: name }) => name);
}

/** Numbers that the database gives go on after those that were loaded. */
async function advanceSequences(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ table_name: string; column_name: string }>(
    "select table_name, column_name from information_schema.columns where table_schema = current_schema() and (is_identity = 'YES' or column_default like 'nextval(%')",
  );
  for (const { table_name: table, column_name: column } of rows) {
    const [name, key] = [pg.escapeIdentifier(table), pg.escapeIdentifier(column)];
    await client.query(
      `select setval(pg_get_serial_sequence($1, $2), greatest(coalesce(max(${key}), 1), 1), coalesce(max(${key}), 0) > 0) from ${name}`,
      [name, column],
    );
  }
}

async function countRows(client: pg.Client, table: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(`select count(*) as count from ${pg.escapeIdentifier(table)}`);
  return Number(rows[0]?.count);
}
