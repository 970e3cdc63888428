import type { Readable } from "node:stream";
import type { Connection, FieldPacket } from "mysql2";
import { messageOf } from "#base";
import { errorCode } from "./error-code.ts";
import { sourceQueryFailed, sourceSignInRefused, sourceTableMissing, sourceUnreachable } from "../../source-errors.ts";
import type { Database, DatabaseColumn, Dumped } from "./database.ts";
import type { TableDeclaration } from "./database-declaration.ts";
import { DumpWriter } from "./dump-writer.ts";
import type { ServerAddress, ServerKind } from "./server-address.ts";

export const MYSQL: ServerKind = { name: "mysql", schemes: ["mysql", "mariadb"], port: 3306 };

const CONNECT_LIMIT_MS = 15_000;

/** A table or query of MySQL or MariaDB, in one snapshot. */
export async function openMysql(
  address: ServerAddress,
  declaration: TableDeclaration & { readonly zero_dates?: "hold" | "missing" | undefined },
  of: { readonly source: string; readonly signal: AbortSignal },
): Promise<Database> {
  const { createConnection } = await import("mysql2");
  const { reachable, port, user, password, database, tls } = address;
  const connection = createConnection({
    host: reachable.address,
    port,
    user,
    password,
    database,
    connectTimeout: CONNECT_LIMIT_MS,
    charset: "utf8mb4",
    flags: ["-LOCAL_FILES"],
    ...(tls === "off" ? {} : { ssl: { rejectUnauthorized: tls === "verify", servername: reachable.host } as object }),
  });
  const stop = (): void => connection.destroy();
  connection.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => {
      if (error === null) resolve();
      else reject(connectError(of.source, error));
    });
  }).catch((error: unknown) => {
    stop();
    throw error;
  });
  of.signal.addEventListener("abort", stop, { once: true });
  const close = (): Promise<void> => {
    of.signal.removeEventListener("abort", stop);
    connection.destroy();
    return Promise.resolve();
  };
  const ask: Ask = (sql, values = []) => query(connection, { sql, values, source: of.source });
  try {
    for (const statement of SESSION) await ask(statement);
    const from = await fromOf(declaration, { ask, source: of.source });
    return {
      columns: () => findColumns(from, ask, declaration.zero_dates === "missing"),
      knowsMoments: true,
      compare: ({ quoted, type }, value) =>
        type === "VARCHAR"
          ? { column: `binary ${quoted}`, value: `binary ${quoteText(value)}` }
          : { column: quoted, value: quoteText(value.replace(/\+00$/, "")) },
      dump: (columns, to) => dump(connection, { ...to, columns, from, ...of }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A view of the data that does not move, in UTC, in which no statement is cut short. */
const SESSION = [
  "set session time_zone = '+00:00', session sql_mode = 'NO_ENGINE_SUBSTITUTION', session net_write_timeout = 3600",
  "set session transaction isolation level repeatable read",
  "start transaction with consistent snapshot, read only",
];

type Ask = (
  sql: string,
  values?: readonly unknown[],
) => Promise<{ readonly rows: readonly (readonly unknown[])[]; readonly fields: readonly FieldPacket[] }>;

function query(
  connection: Connection,
  { sql, values, source }: { readonly sql: string; readonly values: readonly unknown[]; readonly source: string },
): ReturnType<Ask> {
  return new Promise((resolve, reject) => {
    connection.query({ sql, values: [...values], rowsAsArray: true }, (error, rows, fields) => {
      if (error !== null) reject(queryError(source, error));
      else resolve({ rows: Array.isArray(rows) ? (rows as unknown[][]) : [], fields: fields ?? [] });
    });
  });
}

async function fromOf(
  { table, query: written }: TableDeclaration,
  { ask, source }: { readonly ask: Ask; readonly source: string },
): Promise<string> {
  if (written !== undefined) return `(\n${written.trim().replace(/;\s*$/, "")}\n) as \`rows\``;
  const parts = [...(table ?? "").matchAll(/`((?:[^`]|``)*)`|([^.`]+)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll("``", "`") ?? plain ?? "",
  );
  const [name = "", schema, ...rest] = parts.reverse();
  const { rows } = await ask(
    "select table_schema, table_name, database() from information_schema.tables where table_schema = coalesce(?, database()) order by table_name = ? desc, 2 limit 1000",
    [schema ?? null, name],
  );
  const found = rest.length > 0 ? undefined : rows.find((row) => row[1] === name);
  if (found === undefined)
    throw sourceTableMissing({ source, table: table ?? "", known: rows.map((row) => String(row[1])) });
  return `${quote(String(found[0]))}.${quote(name)}`;
}

function quote(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

async function findColumns(from: string, ask: Ask, isZeroMissing: boolean): Promise<readonly DatabaseColumn[]> {
  const { fields } = await ask(`select * from ${from} limit 0`);
  return fields.map((field) => toColumn(field, isZeroMissing));
}

/** Numbers of types in the protocol. */
const TYPE = {
  decimal: 0,
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  null: 6,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  date: 10,
  datetime: 12,
  year: 13,
  bit: 16,
  json: 245,
  newdecimal: 246,
  geometry: 255,
} as const;
const BINARY_CHARSET = 63;
const [UNSIGNED, ENUM, SET] = [32, 256, 2048];

const WHOLE: Readonly<Record<number, readonly [signed: string, unsigned: string]>> = {
  [TYPE.tiny]: ["TINYINT", "SMALLINT"],
  [TYPE.short]: ["SMALLINT", "INTEGER"],
  [TYPE.int24]: ["INTEGER", "INTEGER"],
  [TYPE.long]: ["INTEGER", "BIGINT"],
  [TYPE.longlong]: ["BIGINT", "DECIMAL(20,0)"],
  [TYPE.year]: ["SMALLINT", "SMALLINT"],
};

interface Field {
  readonly name: string;
  readonly columnType: number;
  readonly flags: number;
  readonly columnLength: number;
  readonly decimals: number;
  readonly characterSet: number;
}

function toColumn(packet: FieldPacket, isZeroMissing: boolean): DatabaseColumn {
  const field = packet as unknown as Field;
  const { name, columnType, flags } = field;
  const quoted = quote(name);
  const plain = { name, quoted, select: quoted };
  const whole = WHOLE[columnType];
  if (whole !== undefined) return { ...plain, type: (flags & UNSIGNED) === 0 ? whole[0] : whole[1] };
  switch (columnType) {
    case TYPE.decimal:
    case TYPE.newdecimal:
      return { ...plain, type: decimalType(field) };
    case TYPE.float:
      // As a FLOAT it would be written with six digits.
      return { ...plain, select: `${quoted} + 0e0`, type: "FLOAT" };
    case TYPE.double:
      return { ...plain, type: "DOUBLE" };
    case TYPE.date:
      return { ...plain, ...zeroDate(quoted, isZeroMissing), type: "DATE" };
    case TYPE.timestamp:
    case TYPE.datetime:
      return { ...plain, ...zeroDate(quoted, isZeroMissing), type: "TIMESTAMP WITH TIME ZONE" };
    case TYPE.bit:
      return { ...plain, select: `lpad(bin(${quoted} + 0), ${field.columnLength}, '0')`, type: "VARCHAR" };
    case TYPE.geometry:
      return { ...plain, select: `st_astext(${quoted})`, type: "VARCHAR" };
    case TYPE.json:
    case TYPE.null:
      return { ...plain, type: "VARCHAR" };
    default:
      return isBinary(field)
        ? { ...plain, select: `hex(${quoted})`, type: "BLOB", read: (text) => `unhex(${text})` }
        : { ...plain, type: "VARCHAR" };
  }
}

function zeroDate(quoted: string, isMissing: boolean): { readonly select?: string } {
  return isMissing ? { select: `nullif(${quoted}, 0)` } : {};
}

/** Texts and bytes have the same numbers; a time says that it is of no character set either. */
const BYTE_TYPES: ReadonlySet<number> = new Set([15, 249, 250, 251, 252, 253, 254]);

function isBinary({ columnType, characterSet, flags }: Field): boolean {
  return characterSet === BINARY_CHARSET && BYTE_TYPES.has(columnType) && (flags & (ENUM | SET)) === 0;
}

function decimalType({ columnLength, decimals, flags }: Field): string {
  const precision = columnLength - (decimals > 0 ? 1 : 0) - ((flags & UNSIGNED) === 0 ? 1 : 0);
  return precision > 38 || precision < 1 ? "VARCHAR" : `DECIMAL(${precision},${decimals})`;
}

async function dump(
  connection: Connection,
  of: {
    readonly columns: readonly DatabaseColumn[];
    readonly from: string;
    readonly path: string;
    readonly where: string | undefined;
    readonly source: string;
    readonly signal: AbortSignal;
  },
): Promise<Dumped> {
  const lead = of.columns.length === 1 ? ["1"] : [];
  const list = [...lead, ...of.columns.map(({ select }) => select)].join(", ");
  const writer = new DumpWriter(of.path);
  // The stream of a connection that breaks, or is ended from here, says nothing by itself.
  let rows: Readable | undefined;
  const broken = (error?: Error): void => void rows?.destroy(error ?? new Error("the connection was closed"));
  const stopped = (): void => broken(new Error("stopped"));
  connection.on("error", broken);
  connection.on("end", broken);
  of.signal.addEventListener("abort", stopped, { once: true });
  try {
    rows = connection
      .query({
        sql: `select ${list} from ${of.from}${of.where === undefined ? "" : ` where ${of.where}`}`,
        rowsAsArray: true,
        // Texts as the server writes them: no number of JavaScript in between.
        typeCast: (field) => field.string("utf8"),
      })
      .stream({ highWaterMark: 1000 }) as Readable;
    for await (const row of rows as AsyncIterable<readonly (string | null)[]>)
      if (!writer.add(row)) await writer.drain();
    return await writer.end();
  } catch (error) {
    writer.destroy();
    throw of.signal.aborted ? of.signal.reason : queryError(of.source, error);
  } finally {
    connection.off("error", broken);
    connection.off("end", broken);
    of.signal.removeEventListener("abort", stopped);
  }
}

function connectError(source: string, error: unknown): Error {
  return /^ER_(ACCESS_DENIED|DBACCESS_DENIED|BAD_DB|NOT_SUPPORTED_AUTH)/.test(errorCode(error))
    ? sourceSignInRefused({ source, reason: messageOf(error) })
    : sourceUnreachable({ source, reason: messageOf(error) || errorCode(error) });
}

function queryError(source: string, error: unknown): Error {
  return errorCode(error).startsWith("ER_") && !/^ER_(SERVER_SHUTDOWN|CONNECTION_KILLED|NET_)/.test(errorCode(error))
    ? sourceQueryFailed({ source, reason: messageOf(error) })
    : sourceUnreachable({ source, reason: messageOf(error) });
}
