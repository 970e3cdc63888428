import { requestInvalid } from "../errors.ts";

/**
 * Reads CSV with a header line (RFC 4180: quotes, doubled quotes, line breaks in quotes).
 *
 * @throws SERVING_REQUEST_INVALID with the row, for one of another width or a quote that is never closed
 */
export function parseCsv(text: string): {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const [names, ...rows] = splitRecords(text);
  if (names === undefined)
    throw requestInvalid({ where: "The CSV", found: "nothing", expected: "a header line with the column names" });
  for (const [row, cells] of rows.entries()) {
    if (cells.length !== names.length)
      throw requestInvalid({
        where: `The CSV, row ${row}`,
        found: `${cells.length} fields`,
        expected: `${names.length}, as in the header`,
      });
  }
  return { names, rows };
}

// One field, and what ends it: a quoted one, or one without comma and line break.
const FIELD = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/y;

function splitRecords(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length || record.length > 0) {
    const start = FIELD.lastIndex;
    const match = FIELD.exec(text);
    if (match === null) {
      throw requestInvalid({
        where: `The CSV, record ${records.length}`,
        found: JSON.stringify(text.slice(start, start + 30)),
        expected: "a field in quotes that are closed, or one without quotes",
      });
    }
    const [, quoted, plain = "", end] = match;
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    if (record.length > 1 || record[0] !== "") records.push(record);
    record = [];
  }
  return records;
}
