import { z } from "zod";
import { type Clock, type Digest, formatQuantity, type Json } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore, type ReadTransaction } from "#metadata-store";
import { getIntervalLedger, listRestatements, type Restatement } from "#metadata-store/data";
import type { Analytics } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { contentOf, type Datasets, type IncrementalLedger } from "../dataset.ts";
import { asSubquery } from "../dataset-tables.ts";
import type { LineageInput } from "./column-lineage.ts";
import {
  addIntervals,
  countIntervals,
  insideIntervals,
  INTERVAL_UNITS,
  type IntervalUnit,
  intersectSpans,
  mergeSpans,
  parseMoment,
  showSpan,
  startOfInterval,
  subtractSpans,
  type TimeSpan,
  wholeIntervals,
} from "./intervals.ts";
import { lateSpans } from "./late-intervals.ts";
import type { TimeExpression } from "./time-expression.ts";
import { bindInterval, momentLiteral } from "./sql-parameters.ts";

const column = z.string().min(1);

const byTime = z.strictObject({
  time: column.describe("Column of the result by whose value a row belongs to an interval; a date or a timestamp."),
  interval: z
    .enum(INTERVAL_UNITS)
    .describe("Unit that is filled at once: hour, day, week (from Monday) or month, UTC."),
  start: z
    .string()
    .refine((text) => parseMoment(text) !== undefined, "expected a date such as 2024-01-31, or a date with a time")
    .describe("Where the first interval begins: 2024-01-31, or a date with a time."),
  lookback: z
    .int()
    .min(0)
    .max(100_000)
    .optional()
    .describe("So many of the last filled intervals are filled again when an input changed; default 0."),
});
const byKey = z.strictObject({
  key: z
    .union([column.transform((name) => [name]), z.array(column).min(1)])
    .describe("Key columns: a row with an equal key is replaced, others stay."),
});

/** The key `incremental` of a `sql` step. */
export const incrementalSchema = z
  .union([byTime, byKey])
  .describe("Only what is new is computed: by intervals of a time column, or merged by key columns.");
export type Incremental = z.infer<typeof incrementalSchema>;
export type IncrementalByTime = z.infer<typeof byTime>;

export function isByTime(incremental: Incremental): incremental is IncrementalByTime {
  return "time" in incremental;
}

/** Spans of a query in one statement: more of them are joined over the gaps between. */
const MOST_SPANS = 100;

export interface IncrementalDependencies {
  readonly store: MetadataStore;
  readonly datasets: Datasets;
  readonly analytics: Analytics;
  readonly clock: Clock;
}

/** The model that is asked about, and what it would read. */
export interface IncrementalModel {
  readonly project: string;
  readonly dataset: string;
  readonly incremental: Incremental;
  /** Digest of what its SQL says. */
  readonly sql: Digest;
  readonly inputs: ReadonlyMap<string, AssetVersion>;
  /** Columns that the time column is computed from; undefined where that cannot be told. */
  readonly timeInputs: () => Promise<readonly LineageInput[] | undefined>;
  /** How it is computed from the rows of its inputs; undefined where that cannot be told. */
  readonly timeExpressions: () => Promise<readonly TimeExpression[] | undefined>;
}

/** What a run has to do. */
export interface IncrementalWork {
  readonly latest: AssetVersion | undefined;
  /** Why all is made anew; undefined: what is there stays. */
  readonly rebuilds: string | undefined;
  /** To be computed; none for a merge by key. */
  readonly spans: readonly TimeSpan[];
  /** Filled before, and outside of what the model covers now. */
  readonly emptied: readonly TimeSpan[];
  /** In words: what is filled and why. */
  readonly summary: string;
  readonly notes: readonly string[];
  /** What is true when it is done. */
  readonly ledger: IncrementalLedger;
  /** What people asked for, and is done with it. */
  readonly restatements: readonly string[];
}

/** What of the declaration and of the world decides what a run fills, beside its inputs: part of the cache key. */
export async function incrementalFingerprint(
  { store, clock }: Pick<IncrementalDependencies, "store" | "clock">,
  { project, dataset, incremental }: Pick<IncrementalModel, "project" | "dataset" | "incremental">,
): Promise<Json> {
  const asked = await store.read((transaction) => listRestatements(transaction, { project, dataset }));
  return {
    ...(isByTime(incremental) ? { until: endOf(incremental, clock) } : {}),
    restatements: asked.map(({ id }) => id),
  };
}

/** Only whole intervals are filled: the one that is not over yet waits. */
function endOf({ interval, start }: IncrementalByTime, clock: Clock): number {
  return Math.max(startOf({ interval, start }), startOfInterval(clock.now(), interval));
}

function startOf({ interval, start }: Pick<IncrementalByTime, "interval" | "start">): number {
  return startOfInterval(parseMoment(start) ?? 0, interval);
}

/** Compares what is filled with what should be. Without side effects. */
export async function planIncremental(
  dependencies: IncrementalDependencies,
  model: IncrementalModel,
): Promise<IncrementalWork> {
  const { project, dataset } = model;
  const known = await dependencies.store.read(async (transaction) => {
    const latest = await getAssetVersion(transaction, { project, asset: dataset });
    return {
      latest,
      ledger: latest === undefined ? undefined : await ledgerOf(transaction, latest),
      asked: await listRestatements(transaction, { project, dataset }),
    };
  });
  return isByTime(model.incremental)
    ? planIntervals(dependencies, model, model.incremental, known)
    : planMerge(model, model.incremental.key, known);
}

interface Known {
  readonly latest: AssetVersion | undefined;
  readonly ledger: IncrementalLedger | undefined;
  readonly asked: readonly Restatement[];
}

/** The ledger of a version: noted beside it when it changed without the rows, else with the version. */
export async function ledgerOf(
  transaction: ReadTransaction,
  version: AssetVersion,
): Promise<IncrementalLedger | undefined> {
  const { deltaVersion, incremental, dropped } = contentOf(version);
  if (dropped === true) return undefined;
  const noted = await getIntervalLedger(transaction, {
    project: version.project,
    dataset: version.asset,
    deltaVersion,
  });
  return (noted as IncrementalLedger | undefined) ?? incremental;
}

function planMerge({ sql }: IncrementalModel, key: readonly string[], known: Known): IncrementalWork {
  const { latest, ledger, asked } = known;
  const rebuilds =
    commonReason(known, sql) ??
    (ledger?.key === undefined || ledger.key.join("\n").toLowerCase() !== key.join("\n").toLowerCase()
      ? "its key is another"
      : asked.length > 0
        ? "it was asked for"
        : undefined);
  return {
    latest,
    rebuilds: latest === undefined ? "it has not run before" : rebuilds,
    spans: [],
    emptied: [],
    summary: rebuilds === undefined ? `merges by ${key.join(", ")}` : `is made anew: ${rebuilds}`,
    notes: [],
    ledger: { sql, key },
    restatements: asked.map(({ id }) => id),
  };
}

function commonReason({ latest, ledger }: Known, sql: Digest): string | undefined {
  if (latest === undefined || contentOf(latest).dropped === true) return "it has not run before";
  if (ledger === undefined) return "it was not incremental before";
  return ledger.sql === sql ? undefined : "its SQL changed";
}

async function planIntervals(
  dependencies: IncrementalDependencies,
  model: IncrementalModel,
  incremental: IncrementalByTime,
  known: Known,
): Promise<IncrementalWork> {
  const { interval } = incremental;
  const whole: TimeSpan = [startOf(incremental), endOf(incremental, dependencies.clock)];
  const rebuilds = rebuildReason(known, model.sql, incremental);
  const { latest, ledger, asked } = known;
  const inputs = Object.fromEntries(
    [...model.inputs].map(([name, { version, digest }]) => [name, { version, digest }] as const),
  );
  const filled = whole[0] < whole[1] ? [toText(whole)] : [];
  const shared = {
    latest,
    rebuilds,
    ledger: { sql: model.sql, time: incremental.time, interval, filled, inputs },
    restatements: asked.map(({ id }) => id),
  };
  if (rebuilds === undefined && ledger !== undefined)
    return { ...shared, ...(await spansToFill(dependencies, model, incremental, { whole, ledger, asked })) };
  const spans = mergeSpans([whole]);
  return {
    ...shared,
    spans,
    emptied: [],
    summary: `makes ${showAmount(spans, interval)} anew: ${rebuilds ?? ""}`,
    notes: [],
  };
}

function rebuildReason(known: Known, sql: Digest, { time }: IncrementalByTime): string | undefined {
  const common = commonReason(known, sql);
  if (common !== undefined) return common;
  if (known.ledger?.time?.toLowerCase() !== time.toLowerCase()) return "its time column is another";
  return known.asked.some(({ fromMs, toMs }) => fromMs === undefined && toMs === undefined)
    ? "it was asked for"
    : undefined;
}

async function spansToFill(
  dependencies: IncrementalDependencies,
  model: IncrementalModel,
  { interval, lookback = 0 }: IncrementalByTime,
  facts: {
    readonly whole: TimeSpan;
    readonly ledger: IncrementalLedger;
    readonly asked: readonly Restatement[];
  },
): Promise<Pick<IncrementalWork, "spans" | "emptied" | "summary" | "notes">> {
  const { whole, ledger } = facts;
  const filled = mergeSpans(
    (ledger.filled ?? []).map(([start, end]): TimeSpan => [Date.parse(start), Date.parse(end)]),
  );
  // Of another unit before, what is filled is filled, as far as it is whole intervals of the one now.
  const done = intersectSpans(mergeSpans(filled.flatMap((span) => insideIntervals(span, interval))), [whole]);
  const unfilled = subtractSpans([whole], done);
  const before = ledger.inputs ?? {};
  const changed = [...model.inputs].filter(([name, { digest }]) => before[name]?.digest !== digest);
  const end = done.at(-1)?.[1] ?? whole[0];
  const again = changed.length === 0 ? [] : intersectSpans([[addIntervals(end, -lookback, interval), end]], done);
  const found =
    changed.length === 0
      ? { spans: [], notes: [] }
      : await lateSpans(dependencies, model, { before, changed, interval });
  const late = subtractSpans(intersectSpans(mergeSpans(found.spans), done), again);
  const restated = intersectSpans(restatedSpans(facts.asked, whole, interval), done);
  const emptied = subtractSpans(filled, [whole]);
  const parts = [
    ...part("fills", unfilled, interval),
    ...part("fills again for late rows", late, interval),
    ...part("fills again by lookback", again, interval),
    ...part("restates", subtractSpans(restated, [...again, ...late]), interval),
    ...(emptied.length === 0 ? [] : [`empties ${emptied.map(showSpan).join(", ")}`]),
  ];
  return {
    spans: fewerSpans(mergeSpans([...unfilled, ...again, ...late, ...restated])),
    emptied,
    summary: parts.length === 0 ? `nothing to fill: all is filled, ${showSpan(whole)}` : parts.join("; "),
    notes: found.notes,
  };
}

function restatedSpans(asked: readonly Restatement[], whole: TimeSpan, unit: IntervalUnit): readonly TimeSpan[] {
  return asked.flatMap(({ fromMs = whole[0], toMs = whole[1] }): TimeSpan[] => {
    const [from, to] = [Math.max(fromMs, whole[0]), Math.min(toMs, whole[1])];
    return from < to ? [wholeIntervals([from, to], unit)] : [];
  });
}

function part(verb: string, spans: readonly TimeSpan[], unit: IntervalUnit): readonly string[] {
  return spans.length === 0 ? [] : [`${verb} ${showAmount(spans, unit)}`];
}

/** `31 days, 2024-01-01 to 2024-02-01`. */
function showAmount(spans: readonly TimeSpan[], unit: IntervalUnit): string {
  const count = spans.reduce((sum, span) => sum + countIntervals(span, unit), 0);
  const shown = spans.slice(0, 5).map(showSpan).join(", ");
  return `${formatQuantity(count, unit)}${spans.length === 0 ? "" : ` (${shown}${spans.length > 5 ? `, and ${spans.length - 5} more spans` : ""})`}`;
}

function toText([start, end]: TimeSpan): readonly [string, string] {
  return [new Date(start).toISOString(), new Date(end).toISOString()];
}

/** Filling an interval again changes nothing, so that near spans may be one. */
function fewerSpans(spans: readonly TimeSpan[]): readonly TimeSpan[] {
  const gaps = spans
    .slice(1)
    .map(([start], index): TimeSpan => [spans[index]?.[1] ?? start, start])
    .sort((left, right) => left[1] - left[0] - (right[1] - right[0]));
  return mergeSpans([...spans, ...gaps.slice(0, Math.max(0, spans.length - MOST_SPANS))]);
}

/**
 * One SELECT that gives the rows of all spans, each once. A query that asks for its interval runs once per span, any
 * other runs once. Rows of no span, or without a time, come through to be counted.
 */
export function selectSpans(
  sql: string,
  {
    time,
    parameters,
    spans,
  }: { readonly time: string; readonly parameters: readonly string[]; readonly spans: readonly TimeSpan[] },
): string {
  const name = quoteName(time);
  const inside = (some: readonly TimeSpan[]): string =>
    some
      .map(([start, end]) => `(${name} >= ${momentLiteral(start)} and ${name} < ${momentLiteral(end)})`)
      .join(" or ") || "false";
  if (parameters.length === 0) return `select * from ${asSubquery(sql)} where ${name} is null or ${inside(spans)}`;
  if (spans.length === 0) return `select * from ${asSubquery(bindInterval(sql, [0, 0]))} where false`;
  return spans
    .map((span) => {
      const select = `select * from ${asSubquery(bindInterval(sql, span))}`;
      return spans.length === 1
        ? select
        : `${select} where ${name} is null or ${inside([span])} or not (${inside(spans)})`;
    })
    .join("\nunion all\n");
}
