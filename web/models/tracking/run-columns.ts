import { type TrackingRun, runDurationMs } from "./tracking-run.ts";

export const COLUMN_GROUPS = ["attribute", "metric", "param", "tag"] as const;
export type ColumnGroup = (typeof COLUMN_GROUPS)[number];

/** A column of the runs table: `metric.loss`, `param.lr`, `tag.team`, `attribute.status`. */
export interface RunColumn {
  readonly id: string;
  readonly group: ColumnGroup;
  readonly key: string;
}

/** Attributes in the order they are offered; `duration` and `source` and `dataset` cannot be sorted by the server. */
export const ATTRIBUTES = [
  "start_time",
  "duration",
  "status",
  "user_id",
  "dataset",
  "source",
  "version",
  "run_id",
] as const;
const SORTABLE_ATTRIBUTES = new Set(["start_time", "status", "user_id", "run_id", "run_name"]);
const FIRST_METRICS = 5;
const FIRST_PARAMS = 5;

export function columnOf(id: string): RunColumn | undefined {
  const at = id.indexOf(".");
  const group = COLUMN_GROUPS.find((each) => each === id.slice(0, at));
  return group === undefined || at === id.length - 1 ? undefined : { id, group, key: id.slice(at + 1) };
}

/** All columns that the given runs could fill, by group and name. */
export function knownColumns(runs: readonly TrackingRun[]): readonly RunColumn[] {
  const keys = { metric: new Set<string>(), param: new Set<string>(), tag: new Set<string>() };
  for (const run of runs) {
    for (const key of run.metrics.keys()) keys.metric.add(key);
    for (const key of run.params.keys()) keys.param.add(key);
    for (const key of run.tags.keys()) if (!key.startsWith("mlflow.")) keys.tag.add(key);
  }
  const columns = (group: "metric" | "param" | "tag"): readonly RunColumn[] =>
    [...keys[group]]
      .sort((left, right) => left.localeCompare(right))
      .map((key) => ({ id: `${group}.${key}`, group, key }));
  return [
    ...ATTRIBUTES.map((key): RunColumn => ({ id: `attribute.${key}`, group: "attribute", key })),
    ...columns("metric"),
    ...columns("param"),
    ...columns("tag"),
  ];
}

/** What is shown until someone chooses. */
export function firstColumns(known: readonly RunColumn[]): readonly string[] {
  const of = (group: ColumnGroup, count: number): readonly string[] =>
    known
      .filter((column) => column.group === group)
      .slice(0, count)
      .map(({ id }) => id);
  return [
    "attribute.start_time",
    "attribute.duration",
    ...of("metric", FIRST_METRICS),
    ...of("param", FIRST_PARAMS),
    "attribute.user_id",
    "attribute.source",
  ];
}

/** The `order_by` entry that sorts by a column, or undefined where the server cannot. */
export function orderEntry(columnId: string, isDescending: boolean): string | undefined {
  const column = columnOf(columnId);
  if (column === undefined || (column.group === "attribute" && !SORTABLE_ATTRIBUTES.has(column.key))) return undefined;
  const entity = { attribute: "attributes", metric: "metrics", param: "params", tag: "tags" }[column.group];
  return `${entity}.${quoteKey(column.key)} ${isDescending ? "DESC" : "ASC"}`;
}

/** A key as the filter grammar reads it: in backticks unless it is a plain word. */
export function quoteKey(key: string): string {
  if (/^[A-Za-z_]\w*$/.test(key)) return key;
  return key.includes("`") ? `"${key}"` : `\`${key}\``;
}

/** What a cell holds: a number, a text, or undefined. Times are epoch milliseconds, durations milliseconds. */
export function cellValue(run: TrackingRun, { group, key }: RunColumn): number | string | undefined {
  switch (group) {
    case "metric":
      return run.metrics.get(key);
    case "param":
      return run.params.get(key);
    case "tag":
      return run.tags.get(key);
    case "attribute":
      return attributeValue(run, key);
  }
}

function attributeValue(run: TrackingRun, key: string): number | string | undefined {
  switch (key) {
    case "run_name":
      return run.name;
    case "start_time":
      return run.startMs;
    case "duration":
      return runDurationMs(run);
    case "status":
      return run.status;
    case "user_id":
      return run.user;
    case "run_id":
      return run.id;
    case "dataset":
      return run.datasets.length === 0 ? undefined : run.datasets.map(({ dataset }) => dataset.name).join(", ");
    case "source":
      return run.tags.get("mlflow.source.name");
    case "version":
      return run.tags.get("mlflow.source.git.commit")?.slice(0, 10);
    default:
      return undefined;
  }
}

/** The runs as CSV (RFC 4180): id and name, then the given columns; numbers unrounded, times in ISO 8601. */
export function runsCsv(runs: readonly TrackingRun[], columns: readonly RunColumn[]): string {
  const head = [
    "run_id",
    "run_name",
    ...columns.map((column) => (column.group === "attribute" ? column.key : column.id)),
  ];
  const lines = runs.map((run) =>
    [run.id, run.name, ...columns.map((column) => csvValue(run, column))].map(csvField).join(","),
  );
  return [head.map(csvField).join(","), ...lines, ""].join("\r\n");
}

function csvValue(run: TrackingRun, column: RunColumn): string {
  const value = cellValue(run, column);
  if (value === undefined) return "";
  return column.id === "attribute.start_time" && typeof value === "number"
    ? new Date(value).toISOString()
    : String(value);
}

/** Text that a spreadsheet would take for a formula is kept text by an apostrophe. */
function csvField(text: string): string {
  const safe = /^[=+@\t\r]|^-(?!\d|Infinity$)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
