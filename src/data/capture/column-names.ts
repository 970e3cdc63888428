import type { Column } from "../analytics/analytics.ts";
import { normaliseColumnName } from "../column-name.ts";
import type { SourceRows } from "./formats/source-rows.ts";

/**
 * The rows with names that a dataset can have: a column that the dataset knows under exactly this name, or that it has
 * from exactly this name, keeps it; any other is normalised, and numbered where that name is taken.
 *
 * @param known columns of the dataset
 */
export function nameColumns(
  rows: SourceRows,
  known: readonly Column[],
): SourceRows & { readonly originals: ReadonlyMap<string, string> } {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const give = (received: string, name: string): void => {
    names.set(received, name);
    taken.add(name.toLowerCase());
  };
  const originalOf = (column: string): string => rows.originals?.get(column) ?? column;
  for (const { name } of rows.columns) {
    const same = [
      known.find((column) => column.name === originalOf(name) && column.original === undefined),
      ...known.filter((column) => column.original === originalOf(name)),
      known.find((column) => column.name === name),
    ].find((column) => column !== undefined && !taken.has(column.name.toLowerCase()));
    if (same !== undefined) give(name, same.name);
  }
  const twins = new Set(
    known
      .filter(({ name, original }) => original !== undefined && normaliseColumnName(original, 0) !== name)
      .map(({ name }) => name.toLowerCase()),
  );
  for (const [index, { name }] of rows.columns.entries()) {
    if (names.has(name)) continue;
    const plain = normaliseColumnName(originalOf(name), index);
    let free = plain;
    for (let number = 2; taken.has(free.toLowerCase()) || twins.has(free.toLowerCase()); number++)
      free = `${plain}_${number}`;
    give(name, free);
  }
  const received = new Map([...names].map(([from, to]) => [to, from]));
  const named = rows.columns.map((column) => ({ ...column, name: names.get(column.name) ?? column.name }));
  const originals = new Map(
    [...names].flatMap(([from, to]) => (originalOf(from) === to ? [] : [[to, originalOf(from)] as const])),
  );
  const { isTextValue } = rows;
  return {
    ...rows,
    columns: named,
    originals,
    value: (column) => rows.value(received.get(column) ?? column),
    ...(isTextValue === undefined
      ? {}
      : { isTextValue: (column: string) => isTextValue(received.get(column) ?? column) }),
  };
}
