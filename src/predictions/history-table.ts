import type { Clock } from "#base";
import { type Analytics, type Column, createLogTables, type LogFile, type LogTables } from "#data";
import type { EndpointKey } from "#metadata-store/serving";
import type { LocalFiles } from "#storage";

/** Columns of a history, in their order. Times are epoch milliseconds; texts of objects are JSON. */
export const HISTORY_COLUMNS: readonly Column[] = [
  { name: "id", type: "VARCHAR" },
  { name: "model_version_id", type: "VARCHAR" },
  { name: "arm", type: "VARCHAR" },
  { name: "at_ms", type: "BIGINT" },
  { name: "received_at_ms", type: "BIGINT" },
  { name: "request_id", type: "VARCHAR" },
  { name: "features", type: "VARCHAR" },
  { name: "context", type: "VARCHAR" },
  { name: "prediction", type: "DOUBLE" },
  { name: "prediction_text", type: "VARCHAR" },
  { name: "entity_key", type: "VARCHAR" },
  { name: "feature_status", type: "VARCHAR" },
  { name: "propensity", type: "DOUBLE" },
];

/** What a page reads of a file it reads whole: few rows, and enough to be packed well. */
const ROWS_READ_TOGETHER = 20_480;

export function createHistoryTables(of: {
  readonly analytics: Analytics;
  readonly files: LocalFiles;
  readonly clock: Clock;
}): LogTables {
  return createLogTables({
    ...of,
    columns: HISTORY_COLUMNS,
    form: { compression: "zstd", rowGroupRows: ROWS_READ_TOGETHER },
  });
}

/** Folder of an endpoint's table among those of datasets, none of which begins like this. */
export function historyFolder({ project, environment, endpoint }: EndpointKey): string {
  return ["_predictions", ...[project, environment, endpoint].map(toFolderName)].join("/");
}

function toFolderName(name: string): string {
  return encodeURIComponent(name).replace(/^[._]/, (first) => `%${first.charCodeAt(0).toString(16)}`);
}

/** Least and largest event time of a file, epoch ms. */
export function timesOf({ least, largest }: LogFile): readonly [number, number] {
  return [numberOf(least["at_ms"]) ?? -Infinity, numberOf(largest["at_ms"]) ?? Infinity];
}

/** When the last row of a file was received. */
export function lastReceivedMs({ largest }: LogFile): number {
  return numberOf(largest["received_at_ms"]) ?? Infinity;
}

/** Least and largest id; undefined where the table does not say. */
export function idsOf({ least, largest }: LogFile): readonly [string, string] | undefined {
  const [first, last] = [least["id"], largest["id"]];
  return typeof first === "string" && typeof last === "string" ? [first, last] : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
