import { setImmediate as nextTurn } from "node:timers/promises";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { relationOf } from "../delta/relation.ts";
import type { TableSnapshot } from "../delta/snapshot.ts";
import { type FetchedValues, toFetched } from "./counted-values.ts";
import type { MeasuredColumn } from "./measured-column.ts";

/** Values of one statement. */
const CELLS_AT_ONCE = 524_288;
/** Other work of the process waits for no more. */
const LONGEST_TURN_MS = 8;
const LARGEST_SAFE = 2 ** 53;

/** SQL of rows that hold at least the given columns. */
export type RelationOfColumns = (columns: readonly MeasuredColumn[]) => string;

/** A snapshot's rows, of some of its files or all of them. */
export function rowsOf(snapshot: TableSnapshot): RelationOfColumns {
  return (columns) => {
    const names = new Set(columns.map(({ name }) => name));
    return relationOf({ ...snapshot, columns: snapshot.columns.filter(({ name }) => names.has(name)) });
  };
}

/** Values of columns in so many rows, some columns at a time; `seen` is shown one after the other. */
export async function fetchColumns(
  connection: AnalyticsConnection,
  relation: RelationOfColumns,
  of: {
    readonly columns: readonly MeasuredColumn[];
    readonly rowCount: number;
    /** Whole numbers that are known to be beyond 2^53. */
    readonly isTexted?: (column: MeasuredColumn) => boolean;
    readonly seen: (column: MeasuredColumn, values: FetchedValues) => void;
  },
): Promise<void> {
  const size = Math.max(1, Math.floor(CELLS_AT_ONCE / Math.max(1, of.rowCount)));
  for (let start = 0; start < of.columns.length; start += size) {
    const group = of.columns.slice(start, start + size);
    const isTexted = (column: MeasuredColumn): boolean => column.isTexted || of.isTexted?.(column) === true;
    const list = group.flatMap((column, index) => selected(column, isTexted(column), index));
    const { values } = await connection.columns(`select ${list.join(", ")} from ${relation(group)}`);
    let sinceMs = performance.now();
    for (const [index, column] of group.entries()) {
      const fetched = toFetched(values[`n${index}`], values[`t${index}`], undefined);
      of.seen(column, needsText(column, fetched) ? await fetchExactly(connection, relation, column) : fetched);
      if (performance.now() - sinceMs < LONGEST_TURN_MS) continue;
      await nextTurn();
      sinceMs = performance.now();
    }
  }
}

function selected(column: MeasuredColumn, isTexted: boolean, index: number): readonly string[] {
  if (column.number === undefined) return [`${column.key} as t${index}`];
  return [`${column.number} as n${index}`, ...(isTexted ? [`${exactText(column)} as t${index}`] : [])];
}

function exactText(column: MeasuredColumn): string {
  return column.isTexted ? column.text : `(${column.value})::VARCHAR`;
}

/** Whole numbers that a DOUBLE does not hold. */
function needsText({ kind }: MeasuredColumn, { numbers, texts }: FetchedValues): boolean {
  return (
    kind === "whole" &&
    texts === undefined &&
    numbers?.some((number) => Math.abs(number) >= LARGEST_SAFE && Number.isFinite(number)) === true
  );
}

async function fetchExactly(
  connection: AnalyticsConnection,
  relation: RelationOfColumns,
  column: MeasuredColumn,
): Promise<FetchedValues> {
  const { values } = await connection.columns(
    `select ${column.number} as n, ${exactText(column)} as t from ${relation([column])}`,
  );
  return toFetched(values["n"], values["t"], undefined);
}

/** Different values of one column of a large relation, with their counts. */
export async function fetchCounts(
  connection: AnalyticsConnection,
  relation: RelationOfColumns,
  column: MeasuredColumn,
): Promise<FetchedValues> {
  const name = quoteName(column.name);
  const isTexted = column.isTexted || column.kind === "whole";
  const { values } = await connection.columns(
    `select ${selected(column, isTexted, 0).join(", ")}, c::DOUBLE as c from (select ${name}, count(*) as c from ${relation([column])} group by ${name})`,
  );
  const fetched = toFetched(values["n0"], values["t0"], values["c"]);
  await nextTurn();
  // Exact texts only where a number says less.
  if (column.isTexted || column.number === undefined || needsText(column, { ...fetched, texts: undefined }))
    return fetched;
  return { ...fetched, texts: undefined };
}
/** Upper and lower 32 bits of the hash of each value, of NULL too. */
export interface FetchedHashes {
  readonly high: Float64Array;
  readonly low: Float64Array;
}

/** Hashes of columns' values, in the order of {@link fetchColumns} over the same relation. */
export async function fetchHashes(
  connection: AnalyticsConnection,
  relation: RelationOfColumns,
  of: { readonly columns: readonly MeasuredColumn[]; readonly rowCount: number },
): Promise<ReadonlyMap<number, FetchedHashes>> {
  const found = new Map<number, FetchedHashes>();
  const size = Math.max(1, Math.floor(CELLS_AT_ONCE / Math.max(1, of.rowCount)));
  for (let start = 0; start < of.columns.length; start += size) {
    const group = of.columns.slice(start, start + size);
    const list = group.flatMap(({ name }, index) => [
      `(hash(${quoteName(name)}) >> 32)::UINTEGER as h${index}`,
      `(hash(${quoteName(name)}) & 4294967295)::UINTEGER as l${index}`,
    ]);
    const { values } = await connection.columns(`select ${list.join(", ")} from ${relation(group)}`);
    for (const [index, { place }] of group.entries()) {
      const [high, low] = [values[`h${index}`], values[`l${index}`]];
      if (high?.kind === "number" && low?.kind === "number") found.set(place, { high: high.values, low: low.values });
    }
    await nextTurn();
  }
  return found;
}
