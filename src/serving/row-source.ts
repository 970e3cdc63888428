import { nearestName } from "#base";
import { columnMissing, columnUnknown, inputInvalid, nullRefused, requestInvalid } from "./errors.ts";
import type { ModelInput, ModelSignature } from "./model-signature.ts";

/** Rows as a request brought them, before anything was checked. */
export interface RowSource {
  readonly rowCount: number;
  /** Column names of one row. */
  names(row: number): readonly string[];
  /** undefined: the row has no such column. */
  value(row: number, name: string): unknown;
}

/**
 * One checked input: numbers and booleans as Float64Array (missing = NaN), whole numbers of which one is beyond 2^53 as
 * BigInt64Array, strings as text.
 */
export type InputColumn = Float64Array | BigInt64Array | readonly string[];

/** Checked inputs of one model in the order of its signature. */
export interface InputColumns {
  readonly rowCount: number;
  readonly columns: readonly InputColumn[];
}

/** Whole numbers as they are exact; where nothing is missing. */
export function toExact(values: Float64Array | BigInt64Array): BigInt64Array {
  return values instanceof BigInt64Array ? values : BigInt64Array.from(values, BigInt);
}

/** Rows as JSON objects. @throws SERVING_REQUEST_INVALID when one is not an object */
export function sourceOfRecords(records: readonly unknown[]): RowSource {
  for (const [row, record] of records.entries()) {
    if (typeof record !== "object" || record === null || Array.isArray(record)) {
      throw requestInvalid({
        where: `Row ${row}`,
        found: describe(record),
        expected: "an object with one key per column",
      });
    }
  }
  const rows = records as readonly Readonly<Record<string, unknown>>[];
  return {
    rowCount: rows.length,
    names: (row) => Object.keys(rows[row] ?? {}),
    value: (row, name) => {
      const record = rows[row];
      return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
    },
  };
}

/** Rows as arrays below one list of column names. @throws SERVING_REQUEST_INVALID when a row has another length */
export function sourceOfTable(names: readonly string[], rows: readonly unknown[]): RowSource {
  for (const [row, cells] of rows.entries()) {
    if (!Array.isArray(cells) || cells.length !== names.length) {
      throw requestInvalid({
        where: `Row ${row}`,
        found: Array.isArray(cells) ? `${cells.length} values` : describe(cells),
        expected: `an array of ${names.length} values`,
      });
    }
  }
  const positions = new Map(names.map((name, index) => [name, index]));
  const table = rows as readonly (readonly unknown[])[];
  return {
    rowCount: rows.length,
    names: () => names,
    value: (row, name) => {
      const position = positions.get(name);
      return position === undefined ? undefined : (table[row]?.[position] ?? null);
    },
  };
}

/** Whole columns by name. @throws SERVING_REQUEST_INVALID when their lengths differ */
export function sourceOfColumns(columns: ReadonlyMap<string, ArrayLike<unknown>>): RowSource {
  const names = [...columns.keys()];
  const rowCount = columns.values().next().value?.length ?? 0;
  for (const [name, values] of columns) {
    if (values.length !== rowCount)
      throw requestInvalid({
        where: `Column "${name}"`,
        found: `${values.length} values`,
        expected: `${rowCount}, as in "${names[0]}"`,
      });
  }
  return {
    rowCount,
    names: () => names,
    value: (row, name) => {
      const values = columns.get(name);
      return values === undefined ? undefined : (values[row] ?? null);
    },
  };
}

/** Some rows of a source, in the given order. */
export function selectRows(source: RowSource, rows: readonly number[]): RowSource {
  return {
    rowCount: rows.length,
    names: (row) => source.names(rows[row] ?? 0),
    value: (row, name) => source.value(rows[row] ?? 0, name),
  };
}

/**
 * Reads a model's inputs from rows, strictly: nothing is converted that would change a value.
 *
 * @param unknownColumns `refuse` columns that the model does not know, but those allowed, or `ignore` them
 * @throws SERVING_COLUMN_MISSING, SERVING_COLUMN_UNKNOWN, SERVING_INPUT_INVALID, each with column and row
 */
export function readInputs(
  signature: ModelSignature,
  source: RowSource,
  unknownColumns: "refuse" | "ignore" | { readonly allowed: ReadonlySet<string> | undefined },
): InputColumns {
  if (unknownColumns !== "ignore")
    refuseUnknown(signature, source, unknownColumns === "refuse" ? undefined : unknownColumns.allowed);
  return { rowCount: source.rowCount, columns: signature.inputs.map((input) => readColumn(input, source)) };
}

/** @throws SERVING_COLUMN_UNKNOWN with the nearest name */
export function refuseUnknown(
  signature: ModelSignature,
  source: RowSource,
  allowed: ReadonlySet<string> = new Set(),
): void {
  const known = new Set([...allowed, ...signature.inputs.map((input) => input.name)]);
  let checked: readonly string[] | undefined;
  for (let row = 0; row < source.rowCount; row++) {
    const names = source.names(row);
    if (names === checked) continue;
    checked = names;
    for (const name of names) {
      if (known.has(name)) continue;
      const missing = [...known].filter((input) => !names.includes(input));
      const nearest = nearestName(name, missing) ?? nearestName(name, known);
      throw columnUnknown({ column: name, row, expected: [...known], ...(nearest === undefined ? {} : { nearest }) });
    }
  }
}

/**
 * Reads one input from rows.
 *
 * @param firstRow what the first row is called in errors
 * @throws SERVING_COLUMN_MISSING, SERVING_INPUT_INVALID
 */
export function readColumn(input: ModelInput, source: RowSource, firstRow = 0): InputColumn {
  if (input.type === "string") {
    return Array.from({ length: source.rowCount }, (_, row) => readText(input, { source, row, firstRow }));
  }
  const values = new Float64Array(source.rowCount);
  for (let row = 0; row < source.rowCount; row++) {
    const value = readNumber(input, { source, row, firstRow });
    if (typeof value === "bigint") return readExact(input, source, firstRow);
    values[row] = value;
  }
  return values;
}

/** A column of which a number lies beyond 2^53: no value is missing, since its input has no form for that. */
function readExact(input: ModelInput, source: RowSource, firstRow: number): BigInt64Array {
  return BigInt64Array.from({ length: source.rowCount }, (_, row) =>
    BigInt(readNumber(input, { source, row, firstRow })),
  );
}

interface Cell {
  readonly source: RowSource;
  readonly row: number;
  readonly firstRow: number;
}

function valueOf(input: ModelInput, { source, row, firstRow }: Cell): unknown {
  const value = source.value(row, input.name);
  if (value !== undefined) return value;
  const found = source.names(row);
  const nearest = nearestName(input.name, found);
  throw columnMissing({
    column: input.name,
    row: firstRow + row,
    found,
    ...(nearest === undefined ? {} : { nearest }),
    ...(input.feature === undefined ? {} : { feature: input.feature }),
  });
}

function readText(input: ModelInput, cell: Cell): string {
  const value = valueOf(input, cell);
  if (typeof value === "string") return value;
  if (value === null && input.nullable) return "";
  throw invalidCell(input, cell.firstRow + cell.row, value);
}

function readNumber(input: ModelInput, cell: Cell): number | bigint {
  const value = valueOf(input, cell);
  if (typeof value === "bigint") return readLarge(input, cell, value);
  if (input.type === "boolean" && typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number" && input.type !== "boolean") {
    if (input.type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value)) return value;
    if (Number.isNaN(value) && input.nullable) return NaN;
  }
  if (value === null && input.nullable) return NaN;
  throw invalidCell(input, cell.firstRow + cell.row, value);
}

/** A number that JSON or a tensor holds beyond 2^53: exact where the model's input is of 64 bits. */
function readLarge(input: ModelInput, cell: Cell, value: bigint): number | bigint {
  if (input.type === "float") return Number(value);
  if (input.type === "integer" && input.exact === true && BigInt.asIntN(64, value) === value) return value;
  throw invalidCell(input, cell.firstRow + cell.row, value);
}

const EXPECTED = {
  float: "a finite number",
  integer: "a whole number between -2^53 and 2^53",
  boolean: "true or false",
  string: "a string",
} as const;

/** The error of a value that its input does not take. */
export function invalidCell(input: ModelInput, row: number, value: unknown): Error {
  if (value === null && input.nullRefusal !== undefined)
    return nullRefused({ column: input.name, row, reason: input.nullRefusal });
  const isExact = input.type === "integer" && input.exact === true;
  const expected = `${isExact ? "a whole number of 64 bits" : EXPECTED[input.type]}${input.nullable ? " or null" : ""}`;
  const numeric = input.type === "float" || input.type === "integer";
  const advice =
    typeof value === "string" && numeric && value.trim() !== "" && Number.isFinite(Number(value))
      ? "Send the number without quotes."
      : undefined;
  return inputInvalid({
    column: input.name,
    row,
    found: describe(value),
    expected,
    ...(advice === undefined ? {} : { advice }),
  });
}

/** A value as an error shows it. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  const text =
    typeof value === "number" || typeof value === "bigint"
      ? String(value)
      : (JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? Number(part) : part)) ??
        typeof value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
