import { postgresUnsupported } from "../errors.ts";
import { decodeNumeric, encodeNumeric } from "./numeric.ts";

/** A type as PostgreSQL's clients know it. */
export interface PostgresType {
  readonly oid: number;
  readonly name: string;
  /** Bytes; -1: of any length. */
  readonly size: number;
  /** Of its array. */
  readonly arrayOid: number;
  /** DuckDB's name of it, for parameters. */
  readonly duckdb: string;
  readonly toBinary: (text: string) => Buffer;
  readonly fromBinary: (bytes: Buffer) => string;
}

const MICROSECONDS_PER_DAY = 86_400_000_000n;
/** PostgreSQL counts from 2000-01-01. */
const EPOCH_DAYS = 10_957n;
const LARGEST = 2n ** 63n - 1n;

const utf8 = { toBinary: (text: string) => Buffer.from(text), fromBinary: (bytes: Buffer) => bytes.toString() };

function whole(size: 2 | 4 | 8): Pick<PostgresType, "size" | "toBinary" | "fromBinary"> {
  return {
    size,
    toBinary(text) {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64BE(BigInt(text));
      return buffer.subarray(8 - size);
    },
    fromBinary: (bytes) =>
      String(size === 2 ? bytes.readInt16BE() : size === 4 ? bytes.readInt32BE() : bytes.readBigInt64BE()),
  };
}

function floating(size: 4 | 8): Pick<PostgresType, "size" | "toBinary" | "fromBinary"> {
  return {
    size,
    toBinary(text) {
      const buffer = Buffer.alloc(size);
      if (size === 4) buffer.writeFloatBE(Number(text));
      else buffer.writeDoubleBE(Number(text));
      return buffer;
    },
    fromBinary: (bytes) => String(size === 4 ? bytes.readFloatBE() : bytes.readDoubleBE()),
  };
}

const instant: Pick<PostgresType, "size" | "toBinary" | "fromBinary"> = {
  size: 8,
  toBinary: (text) => int64(microsecondsOf(text)),
  fromBinary: (bytes) => instantText(bytes.readBigInt64BE()),
};

/** Scalar types that are spoken in both forms. Source: `pg_type.dat` and the `send` functions of PostgreSQL. */
export const POSTGRES_TYPES: readonly PostgresType[] = [
  {
    oid: 16,
    name: "bool",
    size: 1,
    arrayOid: 1000,
    duckdb: "BOOLEAN",
    toBinary: (text) => Buffer.from([text === "t" || text === "true" ? 1 : 0]),
    fromBinary: (bytes) => (bytes[0] === 0 ? "f" : "t"),
  },
  {
    oid: 17,
    name: "bytea",
    size: -1,
    arrayOid: 1001,
    duckdb: "BLOB",
    toBinary: (text) => Buffer.from(text.slice(2), "hex"),
    fromBinary: (bytes) => `\\x${bytes.toString("hex")}`,
  },
  { oid: 20, name: "int8", arrayOid: 1016, duckdb: "BIGINT", ...whole(8) },
  { oid: 21, name: "int2", arrayOid: 1005, duckdb: "SMALLINT", ...whole(2) },
  { oid: 23, name: "int4", arrayOid: 1007, duckdb: "INTEGER", ...whole(4) },
  { oid: 25, name: "text", size: -1, arrayOid: 1009, duckdb: "VARCHAR", ...utf8 },
  { oid: 26, name: "oid", arrayOid: 1028, duckdb: "BIGINT", ...whole(4) },
  { oid: 19, name: "name", size: 64, arrayOid: 1003, duckdb: "VARCHAR", ...utf8 },
  { oid: 114, name: "json", size: -1, arrayOid: 199, duckdb: "JSON", ...utf8 },
  { oid: 700, name: "float4", arrayOid: 1021, duckdb: "FLOAT", ...floating(4) },
  { oid: 701, name: "float8", arrayOid: 1022, duckdb: "DOUBLE", ...floating(8) },
  { oid: 1042, name: "bpchar", size: -1, arrayOid: 1014, duckdb: "VARCHAR", ...utf8 },
  { oid: 1043, name: "varchar", size: -1, arrayOid: 1015, duckdb: "VARCHAR", ...utf8 },
  {
    oid: 1082,
    name: "date",
    size: 4,
    arrayOid: 1182,
    duckdb: "DATE",
    toBinary: (text) => int64(microsecondsOf(text) / MICROSECONDS_PER_DAY).subarray(4),
    fromBinary: (bytes) => instantText(BigInt(bytes.readInt32BE()) * MICROSECONDS_PER_DAY).slice(0, 10),
  },
  {
    oid: 1083,
    name: "time",
    size: 8,
    arrayOid: 1183,
    duckdb: "TIME",
    toBinary: (text) => int64(timeOf(text)),
    fromBinary: (bytes) => instantText(bytes.readBigInt64BE()).slice(11),
  },
  { oid: 1114, name: "timestamp", arrayOid: 1115, duckdb: "TIMESTAMP", ...instant },
  {
    oid: 1184,
    name: "timestamptz",
    arrayOid: 1185,
    duckdb: "TIMESTAMPTZ",
    ...instant,
    fromBinary: (bytes) => `${instantText(bytes.readBigInt64BE())}+00`,
  },
  {
    oid: 1186,
    name: "interval",
    size: 16,
    arrayOid: 1187,
    duckdb: "INTERVAL",
    toBinary: intervalBytes,
    fromBinary: (bytes) =>
      `${bytes.readInt32BE(12)} months ${bytes.readInt32BE(8)} days ${bytes.readBigInt64BE()} microseconds`,
  },
  {
    oid: 1700,
    name: "numeric",
    size: -1,
    arrayOid: 1231,
    duckdb: "DECIMAL(38, 10)",
    toBinary: encodeNumeric,
    fromBinary: decodeNumeric,
  },
  {
    oid: 2950,
    name: "uuid",
    size: 16,
    arrayOid: 2951,
    duckdb: "UUID",
    toBinary: (text) => Buffer.from(text.replaceAll("-", ""), "hex"),
    fromBinary: (bytes) => bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"),
  },
];

const byOid = new Map(POSTGRES_TYPES.map((type) => [type.oid, type]));
const byName = new Map(POSTGRES_TYPES.map((type) => [type.name, type]));
const byArrayOid = new Map(POSTGRES_TYPES.map((type) => [type.arrayOid, type]));
const DUCKDB_NAMES: Readonly<Record<string, string>> = {
  BOOLEAN: "bool",
  TINYINT: "int2",
  UTINYINT: "int2",
  SMALLINT: "int2",
  USMALLINT: "int4",
  INTEGER: "int4",
  UINTEGER: "int8",
  BIGINT: "int8",
  UBIGINT: "numeric",
  HUGEINT: "numeric",
  UHUGEINT: "numeric",
  FLOAT: "float4",
  DOUBLE: "float8",
  DATE: "date",
  TIME: "time",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamptz",
  TIMESTAMPTZ: "timestamptz",
  INTERVAL: "interval",
  UUID: "uuid",
  BLOB: "bytea",
  JSON: "json",
  oid: "oid",
  name: "name",
};

/** How a column is told to clients. */
export interface ColumnType {
  readonly oid: number;
  readonly size: number;
  /** Precision and scale of a numeric; -1: none. */
  readonly modifier: number;
  readonly toBinary: (text: string) => Buffer;
}

const textType = scalar("text");

/** What PostgreSQL calls a type of DuckDB: a struct or map is json, a list an array, the rest text. */
export function columnTypeOf(duckdb: string): ColumnType {
  const list = /^(.*)\[\d*\]$/.exec(duckdb)?.[1];
  if (list !== undefined) {
    if (list.endsWith("]")) return { ...textType, modifier: -1 };
    const item = scalarOf(list);
    return { oid: item.arrayOid, size: -1, modifier: -1, toBinary: (text) => arrayBytes(text, item) };
  }
  const { oid, size, toBinary } = scalarOf(duckdb);
  const [, precision, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(duckdb) ?? [];
  const modifier = precision === undefined ? -1 : ((Number(precision) << 16) | Number(scale)) + 4;
  return { oid, size, modifier, toBinary };
}

function scalarOf(duckdb: string): PostgresType {
  if (duckdb.startsWith("DECIMAL")) return scalar("numeric");
  if (/^(STRUCT|MAP|UNION)\b/.test(duckdb)) return scalar("json");
  return scalar(DUCKDB_NAMES[duckdb] ?? "text");
}

function scalar(name: string): PostgresType {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`no type ${name}`);
  return found;
}

/** DuckDB's name of a parameter's type; undefined where the client leaves it open. */
export function parameterTypeOf(oid: number): string | undefined {
  const item = byArrayOid.get(oid);
  return item === undefined ? byOid.get(oid)?.duckdb : `${item.duckdb}[]`;
}

/** A parameter as text that DuckDB casts to its type. @throws SERVER_POSTGRES_UNSUPPORTED */
export function parameterText(
  bytes: Buffer | null,
  { oid, isBinary }: { oid: number; isBinary: boolean },
): string | null {
  if (bytes === null) return null;
  const item = byArrayOid.get(oid);
  if (item !== undefined) return listText(isBinary ? arrayItems(bytes, item) : parseArray(bytes.toString()));
  const type = byOid.get(oid);
  if (!isBinary || oid === 0) {
    const text = bytes.toString();
    return type?.name === "bytea" ? blobText(text) : text;
  }
  if (type === undefined) throw postgresUnsupported({ what: `a parameter of the type with oid ${oid} in binary` });
  const text = type.fromBinary(bytes);
  return type.name === "bytea" ? blobText(text) : text;
}

/** DuckDB writes each byte of a blob as `\xAB`. */
function blobText(text: string): string {
  return text.startsWith(String.raw`\x`) ? text.slice(2).replaceAll(/../g, String.raw`\x$&`) : text;
}

function int64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(value);
  return buffer;
}

function microsecondsOf(text: string): bigint {
  if (text === "infinity") return LARGEST;
  if (text === "-infinity") return -LARGEST - 1n;
  const [, sign = "", year = "", month = "", day = "", time = "00:00:00", bc] =
    /^(-?)(\d+)-(\d+)-(\d+)(?: (?:\(BC\) )?([\d:.]+))?(?:\+00)?( \(BC\))?/.exec(text) ?? [];
  const actual = bc !== undefined || text.includes("(BC)") ? 1 - Number(year) : Number(`${sign}${year}`);
  const date = new Date(0);
  date.setUTCFullYear(actual, Number(month) - 1, Number(day));
  return (BigInt(date.getTime() / 86_400_000) - EPOCH_DAYS) * MICROSECONDS_PER_DAY + timeOf(time);
}

function timeOf(text: string): bigint {
  const [, hours = "0", minutes = "0", seconds = "0", fraction = ""] =
    /^(-?\d+):(\d+):(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return (
    (BigInt(hours) * 3600n + BigInt(minutes) * 60n + BigInt(seconds)) * 1_000_000n +
    BigInt(fraction.padEnd(6, "0").slice(0, 6))
  );
}

function instantText(microseconds: bigint): string {
  if (microseconds === LARGEST) return "infinity";
  if (microseconds === -LARGEST - 1n) return "-infinity";
  const all = microseconds + EPOCH_DAYS * MICROSECONDS_PER_DAY;
  const below = ((all % 1000n) + 1000n) % 1000n;
  const shown = new Date(Number((all - below) / 1000n)).toISOString();
  return `${shown.slice(0, -1).replace("T", " ")}${String(below).padStart(3, "0")}`;
}

function intervalBytes(text: string): Buffer {
  const of = (unit: string): number => Number(new RegExp(`(-?\\d+) ${unit}s?\\b`).exec(text)?.[1] ?? 0);
  const time = /(-?)(\d+:\d+:\d+(?:\.\d+)?)$/.exec(text);
  const microseconds = time === null ? 0n : timeOf(time[2] ?? "") * (time[1] === "-" ? -1n : 1n);
  const buffer = Buffer.alloc(16);
  buffer.writeBigInt64BE(microseconds);
  buffer.writeInt32BE(of("day"), 8);
  buffer.writeInt32BE(of("year") * 12 + of("month"), 12);
  return buffer;
}

function arrayBytes(literal: string, item: PostgresType): Buffer {
  const items = parseArray(literal);
  const parts = items.flatMap((text) => {
    if (text === null) return [Buffer.from([255, 255, 255, 255])];
    const bytes = item.toBinary(text);
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return [length, bytes];
  });
  const head = Buffer.alloc(items.length === 0 ? 12 : 20);
  head.writeInt32BE(items.length === 0 ? 0 : 1, 0);
  head.writeInt32BE(items.includes(null) ? 1 : 0, 4);
  head.writeInt32BE(item.oid, 8);
  if (items.length > 0) {
    head.writeInt32BE(items.length, 12);
    head.writeInt32BE(1, 16);
  }
  return Buffer.concat([head, ...parts]);
}

function arrayItems(bytes: Buffer, item: PostgresType): (string | null)[] {
  const dimensions = bytes.readInt32BE(0);
  if (dimensions === 0) return [];
  if (dimensions !== 1) throw postgresUnsupported({ what: `an array of ${dimensions} dimensions as parameter` });
  const items: (string | null)[] = [];
  let at = 20;
  for (let count = bytes.readInt32BE(12); count > 0; count--) {
    const length = bytes.readInt32BE(at);
    at += 4;
    items.push(length === -1 ? null : item.fromBinary(bytes.subarray(at, at + length)));
    at += Math.max(length, 0);
  }
  return items;
}

/** `{a,"b c",NULL}`, of one dimension. */
function parseArray(literal: string): (string | null)[] {
  const items: (string | null)[] = [];
  for (const [, quoted, plain] of literal.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g))
    items.push(
      quoted === undefined
        ? plain?.toUpperCase() === "NULL"
          ? null
          : (plain ?? "")
        : quoted.replaceAll(/\\(.)/g, "$1"),
    );
  return items;
}

/** As DuckDB casts a text to a list. */
function listText(items: readonly (string | null)[]): string {
  return `[${items.map((item) => (item === null ? "NULL" : `"${item.replaceAll(/["\\]/g, String.raw`\$&`)}"`)).join(", ")}]`;
}
