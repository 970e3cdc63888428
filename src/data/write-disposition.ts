import { formatQuantity } from "#base";
import type { Column } from "./analytics/analytics.ts";
import type { HistoryDisposition, MergeDisposition, MergedKeys, WriteDisposition } from "./dataset.ts";

/** Columns of a dataset with history: from when, until when a version of a row held, and whether it does now. */
export const HISTORY_COLUMNS: readonly Column[] = [
  { name: "valid_from", type: "TIMESTAMP WITH TIME ZONE" },
  { name: "valid_to", type: "TIMESTAMP WITH TIME ZONE" },
  { name: "is_current", type: "BOOLEAN" },
];

export function isKeyed(
  disposition: WriteDisposition | undefined,
): disposition is MergeDisposition | HistoryDisposition {
  return typeof disposition === "object";
}

export function isHistory(disposition: WriteDisposition | undefined): disposition is HistoryDisposition {
  return isKeyed(disposition) && "history" in disposition;
}

/** Columns by whose values rows are the same; none where rows have no key. */
export function keysOf(disposition: WriteDisposition | undefined): readonly string[] {
  if (!isKeyed(disposition)) return [];
  return "history" in disposition ? disposition.history : disposition.merge;
}

/** Columns without whose value a row cannot be written. */
export function neededColumns(disposition: WriteDisposition | undefined): readonly string[] {
  const time = isKeyed(disposition) ? disposition.updated_at : undefined;
  return [...keysOf(disposition), ...(time === undefined ? [] : [time])];
}

/** What is not among the new rows is gone from the source. */
export function deletesMissing(disposition: WriteDisposition | undefined): boolean {
  return isKeyed(disposition) && disposition.delete === "missing";
}

/** Nothing of what is there stays. */
export function isReplacing(disposition: WriteDisposition | undefined): boolean {
  return disposition === "replace" || (isKeyed(disposition) && disposition.anew === true);
}

/** The same into an empty dataset; of rows with an equal key the last one stays, since they came in several runs. */
export function madeAnew(disposition: WriteDisposition): WriteDisposition {
  return isKeyed(disposition) ? { ...disposition, duplicates: "last", anew: true } : "replace";
}

/** What is written behind the first of several that make a dataset anew. */
export function continued(disposition: WriteDisposition): WriteDisposition {
  return isKeyed(disposition) && disposition.anew === true ? { ...disposition, anew: undefined } : disposition;
}

/** Columns that the rows of a source have; those of the history are made here. */
export function sourceColumns(
  columns: readonly Column[],
  disposition: WriteDisposition | undefined,
): readonly Column[] {
  if (!isHistory(disposition)) return columns;
  return columns.filter(({ name }) => !isHistoryColumn(name));
}

export function isHistoryColumn(name: string): boolean {
  return HISTORY_COLUMNS.some((column) => column.name === name.toLowerCase());
}

/** `2 keys added, 1 changed, 1 deleted, 5 unchanged`. */
export function describeMerged({ added, changed, deleted, unchanged }: MergedKeys): string {
  return `${formatQuantity(added, "key")} added, ${changed} changed, ${deleted} deleted, ${unchanged} unchanged`;
}
