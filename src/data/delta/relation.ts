import type { Column } from "../analytics/analytics.ts";
import { quoteName, quotePath, quoteText } from "../analytics/sql-text.ts";
import type { AddFile } from "./actions.ts";
import type { TableSnapshot } from "./snapshot.ts";
import { absolutePath } from "./table.ts";

/** Absolute Parquet files of a snapshot, in order of arrival; to be fetched before they are read. */
export function filesOf(snapshot: TableSnapshot): string[] {
  return [...snapshot.files.values()].map((file) => absolutePath(snapshot.table, file.path));
}

/**
 * A snapshot's rows as SQL: `(SELECT … FROM read_parquet([…]))`, with the table's names and types whatever the files
 * hold.
 * `extra` are names of virtual columns (`filename`, `file_row_number`) to carry along.
 */
export function relationOf(snapshot: TableSnapshot, extra: readonly ("filename" | "file_row_number")[] = []): string {
  if (snapshot.metadata.partitionColumns.length > 0) return partitionedRelation(snapshot);
  const files = [...snapshot.files.values()];
  return files.length > 0 && files.every((file) => holdsColumns(file, snapshot.columns))
    ? plainRelation(filesOf(snapshot), snapshot.columns, extra)
    : filesRelation(filesOf(snapshot), snapshot.columns, extra);
}

const columnsInStats = new WeakMap<AddFile, ReadonlySet<string>>();

/** True when the file's own statistics name every column: then none has to be made up, and filters reach the file. */
export function holdsColumns(file: AddFile, columns: readonly Column[]): boolean {
  let names = columnsInStats.get(file);
  if (names === undefined) {
    const stats = JSON.parse(file.stats ?? "{}") as { readonly nullCount?: object };
    names = new Set(Object.keys(stats.nullCount ?? {}));
    columnsInStats.set(file, names);
  }
  return columns.every(({ name }) => names.has(name));
}

/** Rows of files that hold every column. */
export function plainRelation(
  files: readonly string[],
  columns: readonly Column[],
  extra: readonly ("filename" | "file_row_number")[] = [],
): string {
  const select = columns.map(({ name, type }) => `CAST(${quoteName(name)} AS ${type}) AS ${quoteName(name)}`);
  const options = `hive_partitioning = false, union_by_name = true${extra.map((name) => `, ${name} = true`).join("")}`;
  return `(SELECT ${[...select, ...extra].join(", ")} FROM read_parquet([${files.map(quotePath).join(", ")}], ${options}))`;
}

/** The same over given files. */
export function filesRelation(
  files: readonly string[],
  columns: readonly Column[],
  extra: readonly ("filename" | "file_row_number")[] = [],
): string {
  const select = columns.map(({ name, type }) => `CAST(${quoteName(name)} AS ${type}) AS ${quoteName(name)}`);
  if (files.length === 0) {
    const empty = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteName(name)}`);
    return `(SELECT ${[...empty, ...extra.map((name) => `NULL AS ${name}`)].join(", ")} WHERE false)`;
  }
  // A row-less part with the schema makes columns that no file has appear as NULL.
  const schema = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteName(name)}`).join(", ");
  const options = `hive_partitioning = false, union_by_name = true${extra.map((name) => `, ${name} = true`).join("")}`;
  const read = `SELECT * FROM read_parquet([${files.map(quotePath).join(", ")}], ${options})`;
  return `(SELECT ${[...select, ...extra].join(", ")} FROM (${read} UNION ALL BY NAME SELECT ${schema} WHERE false))`;
}

/** Foreign tables only: partition columns are not in the files, each file has its constants. */
function partitionedRelation(snapshot: TableSnapshot): string {
  const partitions = new Set(snapshot.metadata.partitionColumns.map((name) => name.toLowerCase()));
  const inFile = snapshot.columns.filter(({ name }) => !partitions.has(name.toLowerCase()));
  const parts = [...snapshot.files.values()].map((file) => {
    const constants = snapshot.columns.map(({ name, type }) => {
      if (!partitions.has(name.toLowerCase())) return quoteName(name);
      const value = file.partitionValues[name];
      const text = value === null || value === undefined || value === "" ? "NULL" : quoteText(value);
      return `CAST(${text} AS ${type}) AS ${quoteName(name)}`;
    });
    return `SELECT ${constants.join(", ")} FROM ${filesRelation([absolutePath(snapshot.table, file.path)], inFile)}`;
  });
  return parts.length === 0 ? filesRelation([], snapshot.columns) : `(${parts.join(" UNION ALL ")})`;
}
