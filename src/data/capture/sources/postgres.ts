import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Client, ClientConfig, QueryResult, QueryResultRow } from "pg";
import { messageOf } from "#base";
import { errorCode } from "./error-code.ts";
import { sourceQueryFailed, sourceSignInRefused, sourceTableMissing, sourceUnreachable } from "../../source-errors.ts";
import type { Database, DatabaseColumn } from "./database.ts";
import type { TableDeclaration } from "./database-declaration.ts";
import { DumpMeter } from "./dump-writer.ts";
import type { ServerAddress, ServerKind } from "./server-address.ts";

export const POSTGRES: ServerKind = { name: "postgres", schemes: ["postgres", "postgresql"], port: 5432 };

const CONNECT_LIMIT_MS = 15_000;

/** A connection, and what a question on it fails with. */
export interface PostgresConnection {
  readonly client: Client;
  readonly ask: Ask;
  readonly close: () => Promise<void>;
}

export interface Connecting {
  readonly source: string;
  readonly signal: AbortSignal;
}

/**
 * @param options `replication: "database"` for one that also knows the commands of replication
 * @throws DATA_SOURCE_SIGN_IN_REFUSED, DATA_SOURCE_UNREACHABLE
 */
export async function connectPostgres(
  address: ServerAddress,
  of: Connecting,
  options: ClientConfig & { readonly replication?: "database" } = {},
): Promise<PostgresConnection> {
  const { Client } = await import("pg");
  const client = new Client({ ...configOf(address), ...options });
  // A connection that breaks while nobody asks it anything says so again at the next question.
  client.on("error", () => {});
  const stop = (): void => void client.end().catch(() => {});
  try {
    await client.connect();
  } catch (error) {
    stop();
    throw connectError(of.source, error);
  }
  of.signal.addEventListener("abort", stop, { once: true });
  return {
    client,
    // Without values by the simple protocol, which alone is spoken on a connection of replication.
    ask: <Row extends QueryResultRow>(sql: string, values?: readonly unknown[]) =>
      (values === undefined ? client.query<Row>(sql) : client.query<Row>(sql, [...values])).catch((error: unknown) => {
        throw queryError(of.source, error);
      }),
    async close() {
      of.signal.removeEventListener("abort", stop);
      await client.end().catch(() => {});
    },
  };
}

/**
 * A table or query of PostgreSQL in one snapshot, which is read by COPY.
 *
 * @param of `snapshot` one that another connection exports. Default: a new one
 */
export async function openPostgres(
  address: ServerAddress,
  declaration: TableDeclaration,
  of: Connecting & { readonly snapshot?: string },
): Promise<Database> {
  const { client, ask, close } = await connectPostgres(address, of);
  try {
    await ask("begin isolation level repeatable read read only");
    if (of.snapshot !== undefined) await ask(`set transaction snapshot ${quoteLiteral(of.snapshot)}`);
    await client.query(sessionSettings("local"));
    const from = await fromOf(declaration, ask, of.source);
    return {
      columns: () => findColumns(from, ask),
      knowsMoments: true,
      compare: ({ quoted, type }, value) =>
        // Texts in the order of their bytes, as they are compared afterwards.
        type === "VARCHAR"
          ? { column: `${quoted}::text collate "C"`, value: quoteLiteral(value) }
          : { column: quoted, value: quoteLiteral(value) },
      dump: (columns, to) => dump(client, { ...to, columns, from, source: of.source }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What texts of values look like does not depend on the server's settings. */
export function sessionSettings(of: "local" | "session"): string {
  return Object.entries({
    datestyle: "'ISO, YMD'",
    intervalstyle: "'postgres'",
    timezone: "'UTC'",
    bytea_output: "'hex'",
    extra_float_digits: "1",
    client_encoding: "'UTF8'",
    lc_monetary: "'C'",
    statement_timeout: "0",
    synchronize_seqscans: "off",
    standard_conforming_strings: "on",
  })
    .map(([name, value]) => `set ${of} ${name} = ${value}`)
    .join("; ");
}

function configOf({ reachable, port, user, password, database, tls }: ServerAddress): ClientConfig {
  return {
    host: reachable.address,
    port,
    user,
    password,
    database,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    application_name: "esteira",
    keepAlive: true,
    ssl: tls === "off" ? false : { rejectUnauthorized: tls === "verify", servername: reachable.host },
  };
}

export type Ask = <Row extends QueryResultRow>(sql: string, values?: readonly unknown[]) => Promise<QueryResult<Row>>;

/** SQL of what is read, for a FROM clause. */
async function fromOf({ table, query }: TableDeclaration, ask: Ask, source: string): Promise<string> {
  if (query !== undefined) return `(\n${query.trim().replace(/;\s*$/, "")}\n) as "rows"`;
  const found = await findTable(table ?? "", ask, source);
  return `${quote(found.schema)}.${quote(found.name)}`;
}

/** @throws DATA_SOURCE_TABLE_MISSING */
export async function findTable(
  table: string,
  ask: Ask,
  source: string,
): Promise<{ readonly schema: string; readonly name: string }> {
  const [name = "", schema, ...rest] = splitName(table).reverse();
  const { rows } = await ask<{ schema: string; name: string }>(
    `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
       and has_table_privilege(c.oid, 'select') order by (c.relname = $1) desc, pg_table_is_visible(c.oid) desc, 1, 2 limit 1000`,
    [name],
  );
  const found =
    rest.length > 0 ? undefined : rows.find((row) => row.name === name && (schema ?? row.schema) === row.schema);
  if (found === undefined)
    throw sourceTableMissing({ source, table, known: rows.map((row) => `${row.schema}.${row.name}`) });
  return found;
}

/** `public.orders`, `"Odd.Name"`: parts, without the quotes that a part may have. */
function splitName(table: string): string[] {
  const parts = [...table.matchAll(/"((?:[^"]|"")*)"|([^."]+)/g)];
  return parts.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "");
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

interface PostgresType {
  readonly oid: number;
  readonly name: string;
  readonly element: number;
  readonly category: string;
}

async function findColumns(from: string, ask: Ask): Promise<readonly DatabaseColumn[]> {
  const { fields } = await ask(`select * from ${from} limit 0`);
  return typeColumns(fields, ask);
}

/** How columns of types of the server are read. */
export async function typeColumns(
  fields: readonly { readonly name: string; readonly dataTypeID: number; readonly dataTypeModifier: number }[],
  ask: Ask,
): Promise<readonly DatabaseColumn[]> {
  const { rows } = await ask<Record<keyof PostgresType, string>>(
    `select t.oid::int8::text as oid, t.typname as name, t.typelem::int8::text as element, t.typcategory as category from pg_type t
     where t.oid = any ($1::oid[]) or t.oid in (select typelem from pg_type where oid = any ($1::oid[]))`,
    [fields.map(({ dataTypeID }) => dataTypeID)],
  );
  const types = new Map(
    rows.map(({ oid, name, element, category }) => [
      Number(oid),
      { oid: Number(oid), name, element: Number(element), category },
    ]),
  );
  return fields.map(({ name, dataTypeID, dataTypeModifier }) =>
    toColumn(name, types.get(dataTypeID), { types, modifier: dataTypeModifier }),
  );
}

const TYPES: Readonly<Record<string, string>> = {
  bool: "BOOLEAN",
  int2: "SMALLINT",
  int4: "INTEGER",
  int8: "BIGINT",
  oid: "BIGINT",
  float4: "FLOAT",
  float8: "DOUBLE",
  date: "DATE",
  timestamp: "TIMESTAMP WITH TIME ZONE",
  timestamptz: "TIMESTAMP WITH TIME ZONE",
  bytea: "BLOB",
  money: "DECIMAL(19,2)",
};

/** A numeric without a size takes any number of digits; these are held for what has more. */
const UNSIZED = "DECIMAL(38,18)";
const LARGEST_PRECISION = 38;
const MODIFIER_OFFSET = 4;

/** The type of a sized numeric, or undefined when there is none such. */
function numericType(modifier: number): string {
  if (modifier < MODIFIER_OFFSET) return UNSIZED;
  const precision = (modifier - MODIFIER_OFFSET) >> 16;
  // 11 bits with sign: PostgreSQL 15 has negative scales.
  const scale = (((modifier - MODIFIER_OFFSET) & 0x7ff) ^ 1024) - 1024;
  const [digits, places] = scale < 0 ? [precision - scale, 0] : [Math.max(precision, scale), scale];
  return digits > LARGEST_PRECISION ? "VARCHAR" : `DECIMAL(${digits},${places})`;
}

function toColumn(
  name: string,
  type: PostgresType | undefined,
  { types, modifier }: { readonly types: ReadonlyMap<number, PostgresType>; readonly modifier: number },
): DatabaseColumn {
  const quoted = quote(name);
  const plain = { name, quoted, select: quoted };
  if (type?.category === "A" && type.element !== 0) return toListColumn(plain, types.get(type.element), modifier);
  if (type?.name === "numeric") return { ...plain, type: numericType(modifier) };
  if (type?.name === "money") return { ...plain, select: `${quoted}::numeric`, type: "DECIMAL(19,2)" };
  if (type?.name === "bytea") return { ...plain, type: "BLOB", read: (text) => `unhex(substr(${text}, 3))` };
  return { ...plain, type: TYPES[type?.name ?? ""] ?? "VARCHAR" };
}

/** Elements travel as texts, so that no number passes one of JSON. */
function toListColumn(
  plain: Pick<DatabaseColumn, "name" | "quoted">,
  element: PostgresType | undefined,
  modifier: number,
): DatabaseColumn {
  const inner =
    element?.name === "numeric"
      ? numericType(modifier)
      : element?.name === "bytea" || element?.name === "money"
        ? "VARCHAR"
        : (TYPES[element?.name ?? ""] ?? "VARCHAR");
  return {
    ...plain,
    select: `to_json(${plain.quoted}::text[])::text`,
    type: `${inner}[]`,
    read: (text) =>
      `list_transform(from_json_strict(${text}, '["VARCHAR"]'), lambda x: ${inner === "VARCHAR" ? "x" : `cast(x as ${inner})`})`,
  };
}

async function dump(
  client: Client,
  of: {
    readonly columns: readonly DatabaseColumn[];
    readonly from: string;
    readonly path: string;
    readonly where: string | undefined;
    readonly source: string;
  },
): ReturnType<Database["dump"]> {
  const { to: copyTo } = await import("pg-copy-streams");
  const lead = of.columns.length === 1 ? ["1"] : [];
  const list = [...lead, ...of.columns.map(({ select }) => select)].join(", ");
  const condition = of.where === undefined ? "" : ` where ${of.where}`;
  const meter = new DumpMeter();
  try {
    const rows = client.query(
      copyTo(`copy (select ${list} from ${of.from}${condition}) to stdout (format csv, encoding 'UTF8')`),
    );
    await pipeline(rows, meter, createWriteStream(of.path));
    return meter.dumped(rows.rowCount);
  } catch (error) {
    throw queryError(of.source, error);
  }
}

function connectError(source: string, error: unknown): Error {
  const code = errorCode(error);
  const reason = messageOf(error);
  // Class 28: invalid authorization; 3D000: no such database; 42501: not allowed.
  if (/^(28|3D|42501)/.test(code) || /password/i.test(reason)) return sourceSignInRefused({ source, reason });
  return sourceUnreachable({ source, reason: reason === "" ? code : reason });
}

export function queryError(source: string, error: unknown): Error {
  const code = errorCode(error);
  // Class 57: the server ends or cancels; 08: the connection broke. Without a code it is no answer of the server.
  if (code === "" || /^(57|08|53)/.test(code) || /^E[A-Z]+$/.test(code))
    return sourceUnreachable({ source, reason: messageOf(error) });
  const position =
    typeof error === "object" && error !== null && "position" in error && typeof error.position === "string"
      ? error.position
      : undefined;
  return sourceQueryFailed({
    source,
    reason: `${messageOf(error)}${position === undefined ? "" : ` (at character ${position} of what was sent)`}`,
  });
}
