import type { Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { columnUnsupported, tableCorrupt } from "../errors.ts";

/** A type of the Delta protocol: a primitive's name or a nested type. */
export type DeltaType =
  | string
  | { readonly type: "struct"; readonly fields: readonly DeltaField[] }
  | { readonly type: "array"; readonly elementType: DeltaType; readonly containsNull: boolean }
  | {
      readonly type: "map";
      readonly keyType: DeltaType;
      readonly valueType: DeltaType;
      readonly valueContainsNull: boolean;
    };

export interface DeltaField {
  readonly name: string;
  readonly type: DeltaType;
  readonly nullable: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Metadata of a field: the name that the source has for the column. */
const ORIGINAL_NAME = "esteira.original_name";
const FORMAT = "esteira.format";

const TO_DELTA: Readonly<Record<string, string>> = {
  BOOLEAN: "boolean",
  TINYINT: "byte",
  SMALLINT: "short",
  INTEGER: "integer",
  BIGINT: "long",
  FLOAT: "float",
  DOUBLE: "double",
  VARCHAR: "string",
  BLOB: "binary",
  DATE: "date",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
};
const FROM_DELTA: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(TO_DELTA).map(([duckdb, delta]) => [delta, duckdb])),
  timestamp_ntz: "TIMESTAMP",
};

/**
 * Types that Delta (1,2) lacks, and what they are stored as. HUGEINT is what DuckDB's sum() of integers gives: stored
 * as BIGINT, a sum that does not fit is an error, never a rounded number. Zone-less timestamps are taken as UTC.
 */
const STORED_AS: Readonly<Record<string, string>> = {
  HUGEINT: "BIGINT",
  UHUGEINT: "DECIMAL(38,0)",
  UTINYINT: "SMALLINT",
  USMALLINT: "INTEGER",
  UINTEGER: "BIGINT",
  UBIGINT: "DECIMAL(20,0)",
  TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
  TIMESTAMP_NS: "TIMESTAMP WITH TIME ZONE",
  TIMESTAMP_MS: "TIMESTAMP WITH TIME ZONE",
  TIMESTAMP_S: "TIMESTAMP WITH TIME ZONE",
  UUID: "VARCHAR",
  TIME: "VARCHAR",
  "TIME WITH TIME ZONE": "VARCHAR",
  INTERVAL: "VARCHAR",
  JSON: "VARCHAR",
  BIT: "VARCHAR",
  '"NULL"': "VARCHAR",
  NULL: "VARCHAR",
};

/** The DuckDB type in which a column of this DuckDB type is stored. */
export function storedType(type: string): string {
  const nested = parseNested(type);
  if (nested === undefined) {
    if (type.startsWith("ENUM(")) return "VARCHAR";
    return STORED_AS[type] ?? type;
  }
  switch (nested.kind) {
    case "list":
      return `${storedType(nested.element)}[]`;
    case "map":
      return `MAP(${storedType(nested.key)}, ${storedType(nested.value)})`;
    case "struct":
      return `STRUCT(${nested.fields.map(({ name, type: inner }) => `${quoteName(name)} ${storedType(inner)}`).join(", ")})`;
  }
}

/** Expression that turns a column of `type` into its stored form. */
export function storedExpression(expression: string, type: string): string {
  const stored = storedType(type);
  if (stored === type) return expression;
  // Reads the clock's digits as UTC, as AT TIME ZONE 'UTC' does, without asking the time zone library for each row.
  if (/^TIMESTAMP(_NS|_MS|_S)?$/.test(type)) return `make_timestamptz(epoch_us(${expression}))`;
  return `CAST(${expression} AS ${stored})`;
}

/** @throws DATA_COLUMN_UNSUPPORTED when a name or type has no place in a Delta table */
export function assertStorable(columns: readonly Column[]): void {
  toSchemaString(columns);
}

/** Schema JSON of a table whose columns have stored types. @throws DATA_COLUMN_UNSUPPORTED */
export function toSchemaString(columns: readonly Column[]): string {
  const seen = new Map<string, string>();
  for (const { name } of columns) {
    const twin = seen.get(name.toLowerCase());
    if (twin !== undefined)
      throw columnUnsupported({
        column: name,
        reason: `there is also a column "${twin}"; names must differ in more than case`,
      });
    seen.set(name.toLowerCase(), name);
    if (name === "" || /[ ,;{}()\n\t=]/.test(name))
      throw columnUnsupported({ column: name, reason: "its name is empty or holds a space or one of , ; { } ( ) =" });
  }
  return JSON.stringify({
    type: "struct",
    fields: columns.map(({ name, type, original, format }) => ({
      name,
      type: toDeltaType(type, name),
      nullable: true,
      metadata: {
        ...(original === undefined ? {} : { [ORIGINAL_NAME]: original }),
        ...(format === undefined ? {} : { [FORMAT]: format }),
      },
    })),
  });
}

/** Columns with their DuckDB types. @throws DATA_TABLE_CORRUPT */
export function parseSchemaString(
  schemaString: string,
  table: string,
): readonly (Column & { readonly field: DeltaField })[] {
  try {
    const schema = JSON.parse(schemaString) as { fields: DeltaField[] };
    return schema.fields.map((field) => {
      const original = field.metadata[ORIGINAL_NAME];
      const format = field.metadata[FORMAT];
      return {
        name: field.name,
        type: toDuckDbType(field.type),
        ...(typeof original === "string" ? { original } : {}),
        ...(typeof format === "string" ? { format } : {}),
        field,
      };
    });
  } catch (error) {
    throw tableCorrupt({ table, reason: "its schema is not a struct type" }, error);
  }
}

function toDeltaType(type: string, column: string): DeltaType {
  const primitive = TO_DELTA[type];
  if (primitive !== undefined) return primitive;
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type);
  if (decimal !== null) return `decimal(${decimal[1]},${decimal[2]})`;
  const nested = parseNested(type);
  if (nested === undefined)
    throw columnUnsupported({ column, reason: `its type ${type} has no counterpart in a Delta table` });
  switch (nested.kind) {
    case "list":
      return { type: "array", elementType: toDeltaType(nested.element, column), containsNull: true };
    case "map":
      return {
        type: "map",
        keyType: toDeltaType(nested.key, column),
        valueType: toDeltaType(nested.value, column),
        valueContainsNull: true,
      };
    case "struct":
      return {
        type: "struct",
        fields: nested.fields.map((field) => ({
          name: field.name,
          type: toDeltaType(field.type, column),
          nullable: true,
          metadata: {},
        })),
      };
  }
}

function toDuckDbType(type: DeltaType): string {
  if (typeof type === "string") {
    const decimal = /^decimal\((\d+),\s*(\d+)\)$/.exec(type);
    if (decimal !== null) return `DECIMAL(${decimal[1]},${decimal[2]})`;
    const primitive = FROM_DELTA[type];
    if (primitive === undefined) throw new TypeError(`unknown type ${type}`);
    return primitive;
  }
  switch (type.type) {
    case "array":
      return `${toDuckDbType(type.elementType)}[]`;
    case "map":
      return `MAP(${toDuckDbType(type.keyType)}, ${toDuckDbType(type.valueType)})`;
    case "struct":
      return `STRUCT(${type.fields.map((field) => `${quoteName(field.name)} ${toDuckDbType(field.type)}`).join(", ")})`;
  }
}

type Nested =
  | { readonly kind: "list"; readonly element: string }
  | { readonly kind: "map"; readonly key: string; readonly value: string }
  | { readonly kind: "struct"; readonly fields: readonly { readonly name: string; readonly type: string }[] };

function parseNested(type: string): Nested | undefined {
  const list = /^(.*)\[\d*\]$/s.exec(type);
  if (list !== null) return { kind: "list", element: list[1] ?? "" };
  if (type.startsWith("MAP(") && type.endsWith(")")) {
    const [key = "", value = ""] = splitTopLevel(type.slice(4, -1));
    return { kind: "map", key, value };
  }
  if (type.startsWith("STRUCT(") && type.endsWith(")")) {
    return { kind: "struct", fields: splitTopLevel(type.slice(7, -1)).map(parseField) };
  }
  return undefined;
}

function parseField(text: string): { name: string; type: string } {
  const quoted = /^"((?:[^"]|"")*)"\s+(.*)$/s.exec(text);
  if (quoted !== null) return { name: (quoted[1] ?? "").replaceAll('""', '"'), type: quoted[2] ?? "" };
  const space = text.indexOf(" ");
  return { name: text.slice(0, space), type: text.slice(space + 1) };
}

/** Splits at commas outside parentheses and quotes. */
function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === "," && depth === 0) {
      parts.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}
