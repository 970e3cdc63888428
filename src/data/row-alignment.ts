import type { Column } from "./analytics/analytics.ts";
import { quoteName } from "./analytics/sql-text.ts";
import { schemaConflict } from "./errors.ts";

/**
 * Columns of a dataset after rows with `columns` come in: new ones are added at the end.
 *
 * @throws DATA_SCHEMA_CONFLICT when a column cannot hold the new values
 */
export function evolveColumns(
  existing: readonly Column[],
  { asset, columns }: { readonly asset: string; readonly columns: readonly Column[] },
): readonly Column[] {
  const byName = new Map(existing.map((column) => [column.name.toLowerCase(), column]));
  const added: Column[] = [];
  for (const column of columns) {
    const known = byName.get(column.name.toLowerCase());
    if (known === undefined) added.push(column);
    else if (!canHold(known.type, column.type))
      throw schemaConflict({ table: asset, column: known.name, found: column.type, expected: known.type });
  }
  return added.length === 0 ? existing : [...existing, ...added];
}

const WIDTHS: Readonly<Record<string, number>> = { TINYINT: 1, SMALLINT: 2, INTEGER: 3, BIGINT: 4 };

/** True when every value of `found` is a value of `expected`. */
function canHold(expected: string, found: string): boolean {
  if (expected === found) return true;
  const [wide, narrow] = [WIDTHS[expected], WIDTHS[found]];
  if (wide !== undefined && narrow !== undefined) return narrow <= wide;
  if (expected === "DOUBLE") return found === "FLOAT" || (narrow !== undefined && narrow <= 3);
  return expected === "FLOAT" && narrow !== undefined && narrow <= 2;
}

/** The SELECT with the dataset's column order; columns it lacks are NULL. */
export function alignSelect(select: string, from: readonly Column[], to: readonly Column[]): string {
  if (
    from.length === to.length &&
    from.every((column, index) => column.name === to[index]?.name && column.type === to[index]?.type)
  )
    return select;
  const names = new Map(from.map((column) => [column.name.toLowerCase(), column.name]));
  const list = to.map(({ name, type }) => {
    const source = names.get(name.toLowerCase());
    return `CAST(${source === undefined ? "NULL" : quoteName(source)} AS ${type}) AS ${quoteName(name)}`;
  });
  return `SELECT ${list.join(", ")} FROM (${select})`;
}
