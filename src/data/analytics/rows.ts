import type { DuckDBResultReader, Json as DuckDBJson } from "@duckdb/node-api";

/**
 * A row whose members are JSON: whole numbers beyond 2^53, decimals, dates and timestamps are text; timestamps are ISO
 * 8601 in UTC.
 */
export type Row = Readonly<Record<string, JsonCell>>;
export type JsonCell = null | boolean | number | string | readonly JsonCell[] | { readonly [key: string]: JsonCell };

const WHOLE = /^(TINYINT|SMALLINT|INTEGER|BIGINT|U\w+|HUGEINT)$/;

export function toRows(reader: DuckDBResultReader): Row[] {
  const names = reader.deduplicatedColumnNames();
  const converters = names.map((_, index) => converterOf(reader.columnType(index).toString()));
  return reader.getRowsJson().map((cells) => {
    const row: Record<string, JsonCell> = {};
    for (let index = 0; index < names.length; index++) {
      row[names[index] ?? ""] = (converters[index] ?? plain)(cells[index] ?? null);
    }
    return row;
  });
}

function converterOf(type: string): (cell: DuckDBJson) => JsonCell {
  if (WHOLE.test(type)) return wholeNumber;
  if (type.startsWith("TIMESTAMP")) return timestamp;
  return plain;
}

function plain(cell: DuckDBJson): JsonCell {
  return cell as JsonCell;
}

function wholeNumber(cell: DuckDBJson): JsonCell {
  if (typeof cell !== "string") return cell as JsonCell;
  const number = Number(cell);
  return Number.isSafeInteger(number) ? number : cell;
}

/** `2001-01-01 00:01:00+00` → `2001-01-01T00:01:00Z`; a zone-less timestamp stays without zone. */
function timestamp(cell: DuckDBJson): JsonCell {
  if (typeof cell !== "string") return cell as JsonCell;
  return cell.replace(
    /^(\S+) (\S+?)(\+00)?$/,
    (_, day: string, time: string, zone: string | undefined) => `${day}T${time}${zone === undefined ? "" : "Z"}`,
  );
}

/** A cell as text: a text as it is, anything else as JSON. */
export function textOf(cell: JsonCell | undefined): string {
  return typeof cell === "string" ? cell : JSON.stringify(cell ?? null);
}
