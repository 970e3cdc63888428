import { z } from "zod";
import { formatQuantity, type Json } from "#base";
import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { textOf } from "../../analytics/rows.ts";
import { quoteName, quotePath, quoteText } from "../../analytics/sql-text.ts";
import type { WriteDisposition } from "../../dataset.ts";
import { sourceCursorUnfit } from "../../source-errors.ts";
import type { DatabaseColumn } from "./database.ts";
import type { CursorDeclaration } from "./database-declaration.ts";
import { type Dump, dumpRelation, type ReadDump, rowDigest, typedValue } from "./read-dump.ts";

const cursorSchema = z.object({
  format: z.literal("table-cursor/1"),
  source: z.string(),
  column: z.string(),
  /** The greatest value, as the database writes it. */
  value: z.string(),
  /** Digests, over `columns`, of the rows that have it: they are not new when they are read again. */
  columns: z.array(z.string()).readonly(),
  seen: z.array(z.string()).readonly(),
});

/** Where the reading of a table ended; kept with the version that holds its rows. */
export type TableCursor = z.infer<typeof cursorSchema>;

export function toTableCursor(saved: Json | undefined): TableCursor | undefined {
  return cursorSchema.safeParse(saved).data;
}

/** Where a reading begins; undefined at the beginning. */
export async function lowerBound(
  connection: AnalyticsConnection,
  of: {
    readonly cursor: CursorDeclaration;
    readonly last: TableCursor | undefined;
    readonly column: DatabaseColumn;
    readonly source: string;
  },
): Promise<{ readonly value: string; readonly isClosed: boolean } | undefined> {
  const { cursor, last, column, source } = of;
  if (last === undefined)
    return cursor.start === undefined ? undefined : { value: String(cursor.start), isClosed: true };
  if (cursor.lookback === undefined || cursor.lookback === 0)
    return { value: last.value, isClosed: cursor.boundary !== "open" };
  const isMoment = /^(DATE|TIMESTAMP)/.test(column.type);
  if (isMoment !== (typeof cursor.lookback === "string"))
    throw sourceCursorUnfit({
      source,
      column: column.name,
      problem: `its type is ${column.type}, and lookback is ${cursor.lookback}`,
      remedy: isMoment ? 'Give lookback as a time: lookback: "2h".' : "Give lookback as a number.",
    });
  const by =
    typeof cursor.lookback === "string"
      ? `interval '${millisecondsOf(cursor.lookback)} milliseconds'`
      : String(cursor.lookback);
  const [row] = await connection.rows(
    `select cast(cast(${quoteText(last.value)} as ${column.type}) - ${by} as ${isMoment ? column.type : "VARCHAR"})::VARCHAR as value`,
  );
  return { value: textOf(row?.["value"]), isClosed: true };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function millisecondsOf(text: string): number {
  const [, amount = "0", unit = "s"] = /^([\d.]+)(\w+)$/.exec(text) ?? [];
  return Math.round(Number(amount) * (UNIT_MS[unit] ?? 0));
}

const MOST_SEEN = 10_000;

/** @throws DATA_SOURCE_CURSOR_UNFIT */
export async function nextCursor(
  connection: AnalyticsConnection,
  of: Dump &
    ReadDump & {
      readonly by: DatabaseColumn;
      readonly cursor: CursorDeclaration;
      readonly last: TableCursor | undefined;
      readonly write: WriteDisposition;
      readonly knowsMoments: boolean;
    },
): Promise<TableCursor | undefined> {
  const { by, cursor, last, source, columns } = of;
  const text = `c${columns.indexOf(by)}`;
  const typed = of.isText ? `try_cast(${text} as ${by.type})` : typedValue(by, text);
  // The Parquet file has what is new, and is read faster; only the dump has the texts.
  const isParquet = !of.isText && (of.knowsMoments || !/^(DATE|TIMESTAMP)/.test(by.type));
  const name = quoteName(by.name);
  const [found] = await connection.rows(
    isParquet
      ? `select max(${name})::VARCHAR as value, count(*) - count(${name}) as missing, count(${name}) as n from read_parquet(${quotePath(of.target)})`
      : `select arg_max(${text}, ${typed}) as value, count(*) - count(${text}) as missing, count(${typed}) as n from ${dumpRelation(of)}`,
  );
  const missing = Number(found?.["missing"]);
  if (missing > 0 && (cursor.missing ?? "error") === "error")
    throw sourceCursorUnfit({
      source,
      column: by.name,
      problem: `${formatQuantity(missing, "row has", "rows have")} no value`,
      remedy: "Say what becomes of them: cursor: { missing: exclude }, or include with write: { merge: KEY }.",
    });
  if (Number(found?.["n"]) === 0) return last;
  const value = textOf(found?.["value"]);
  const names = columns.map(({ name }) => name);
  const start = { format: "table-cursor/1", source, column: by.name, value, columns: names } as const;
  // A merge takes equal rows again without harm.
  if (typeof of.write === "object" || cursor.boundary === "open") return { ...start, seen: [] };
  const rows = await connection.rows(
    `select distinct ${rowDigest(columns, names)} as digest from ${dumpRelation(of)} where ${typed} = ${typedValue(by, quoteText(value))} order by digest limit ${MOST_SEEN + 1}`,
  );
  if (rows.length > MOST_SEEN)
    throw sourceCursorUnfit({
      source,
      column: by.name,
      problem: `more than ${MOST_SEEN} rows have its greatest value ${value}, and rows to come with the same one could not be told from them`,
      remedy:
        "Say by what rows are the same: write: { merge: KEY }. If no row ever comes later with a value that was read: cursor: { boundary: open }.",
    });
  return { ...start, seen: rows.map(({ digest }) => textOf(digest)) };
}
