import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { EndpointKey } from "../serving/endpoint.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** One value of one window. */
export interface MonitorScore {
  readonly metric: string;
  /** Column, or empty. */
  readonly subject: string;
  /** `column=value`, or empty for all rows. */
  readonly segment: string;
  /** undefined: not enough data, or not a number. */
  readonly value: number | undefined;
  /** The reference's value of the same metric. */
  readonly baseline: number | undefined;
  readonly threshold: number | undefined;
  readonly breached: boolean | undefined;
  readonly n: number;
  readonly nReference: number | undefined;
  /** Method and its parameters: a score without its definition is noise. */
  readonly method: object;
}

/** What an endpoint did in one window. */
export interface MonitorWindow {
  readonly size: string;
  /** Epoch ms, included. */
  readonly startMs: number;
  /** Epoch ms, excluded. */
  readonly endMs: number;
  readonly predictions: number;
  readonly labelled: number;
  /** How often labels of the window were replaced by different ones. */
  readonly corrections: number;
  /** Predictions by model version id. */
  readonly versions: Readonly<Record<string, number>>;
  /** The model version whose reference was compared with. */
  readonly referenceVersionId: string | undefined;
  readonly closed: boolean;
  readonly evaluatedAtMs: number;
  readonly scores: readonly MonitorScore[];
}

// 15 values a row.
const SCORES_PER_STATEMENT = 1500;

/** Replaces a window and its scores. */
export async function saveWindow(
  transaction: WriteTransaction,
  key: EndpointKey,
  window: MonitorWindow,
): Promise<void> {
  const identity = {
    project: key.project,
    environment: key.environment,
    endpoint: key.endpoint,
    size: window.size,
    start_ms: window.startMs,
  };
  const facts = {
    end_ms: window.endMs,
    predictions: window.predictions,
    labelled: window.labelled,
    corrections: window.corrections,
    versions: JSON.stringify(window.versions),
    reference_version_id: window.referenceVersionId ?? null,
    closed: window.closed ? 1 : 0,
    evaluated_at_ms: window.evaluatedAtMs,
  };
  await transaction
    .insertInto("monitor_window")
    .values({ ...identity, ...facts })
    .onConflict((conflict) =>
      conflict.columns(["project", "environment", "endpoint", "size", "start_ms"]).doUpdateSet(facts),
    )
    .execute();
  await transaction
    .deleteFrom("monitor_score")
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("size", "=", window.size)
    .where("start_ms", "=", window.startMs)
    .execute();
  for (let start = 0; start < window.scores.length; start += SCORES_PER_STATEMENT) {
    const rows = window.scores.slice(start, start + SCORES_PER_STATEMENT).map((score) => ({
      ...identity,
      metric: score.metric,
      subject: score.subject,
      segment: score.segment,
      value: finiteOrNull(score.value),
      baseline: finiteOrNull(score.baseline),
      threshold: score.threshold ?? null,
      breached: score.breached === undefined ? null : Number(score.breached),
      n: score.n,
      n_reference: score.nReference ?? null,
      method: JSON.stringify(score.method),
    }));
    await transaction.insertInto("monitor_score").values(rows).execute();
  }
}

function finiteOrNull(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}

export interface WindowQuery extends EndpointKey {
  readonly size: string;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Only scores of this metric. */
  readonly metric?: string | undefined;
  /** Default 100 windows, at most 1,000; the newest are kept. */
  readonly limit?: number | undefined;
}

/** Windows of an endpoint with their scores, oldest first; of more than `limit`, the newest. */
export async function listWindows(transaction: ReadTransaction, query: WindowQuery): Promise<readonly MonitorWindow[]> {
  let select = transaction
    .selectFrom("monitor_window")
    .selectAll()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint)
    .where("size", "=", query.size);
  if (query.fromMs !== undefined) select = select.where("start_ms", ">=", query.fromMs);
  if (query.toMs !== undefined) select = select.where("start_ms", "<", query.toMs);
  const windows = (
    await select
      .orderBy("start_ms", "desc")
      .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
      .execute()
  ).reverse();
  const [first] = windows;
  const last = windows.at(-1);
  if (first === undefined || last === undefined) return [];
  let scores = transaction
    .selectFrom("monitor_score")
    .selectAll()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint)
    .where("size", "=", query.size)
    .where("start_ms", ">=", first.start_ms)
    .where("start_ms", "<=", last.start_ms);
  if (query.metric !== undefined) scores = scores.where("metric", "=", query.metric);
  const byStart = Map.groupBy(
    await scores.orderBy("metric").orderBy("subject").orderBy("segment").execute(),
    (score) => score.start_ms,
  );
  return windows.map((row) => ({
    size: row.size,
    startMs: row.start_ms,
    endMs: row.end_ms,
    predictions: row.predictions,
    labelled: row.labelled,
    corrections: row.corrections,
    versions: JSON.parse(row.versions) as Record<string, number>,
    referenceVersionId: row.reference_version_id ?? undefined,
    closed: row.closed === 1,
    evaluatedAtMs: row.evaluated_at_ms,
    scores: (byStart.get(row.start_ms) ?? []).map((score) => ({
      metric: score.metric,
      subject: score.subject,
      segment: score.segment,
      value: score.value ?? undefined,
      baseline: score.baseline ?? undefined,
      threshold: score.threshold ?? undefined,
      breached: score.breached === null ? undefined : score.breached === 1,
      n: score.n,
      nReference: score.n_reference ?? undefined,
      method: JSON.parse(score.method) as object,
    })),
  }));
}

/** How many windows of one size an endpoint has. */
export async function countMonitorWindows(
  transaction: ReadTransaction,
  key: EndpointKey & { readonly size: string },
): Promise<number> {
  const { count } = await transaction
    .selectFrom("monitor_window")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("size", "=", key.size)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** What tells whether a window has to be evaluated again. */
export type WindowFacts = Pick<
  MonitorWindow,
  "startMs" | "endMs" | "predictions" | "labelled" | "corrections" | "closed" | "evaluatedAtMs"
>;

/** Windows without their scores: every one that starts in a time range, oldest first. */
export async function listWindowFacts(
  transaction: ReadTransaction,
  query: Omit<WindowQuery, "metric" | "limit">,
): Promise<readonly WindowFacts[]> {
  let select = transaction
    .selectFrom("monitor_window")
    .select(["start_ms", "end_ms", "predictions", "labelled", "corrections", "closed", "evaluated_at_ms"])
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint)
    .where("size", "=", query.size);
  if (query.fromMs !== undefined) select = select.where("start_ms", ">=", query.fromMs);
  if (query.toMs !== undefined) select = select.where("start_ms", "<", query.toMs);
  const rows = await select.orderBy("start_ms").execute();
  return rows.map((row) => ({
    startMs: row.start_ms,
    endMs: row.end_ms,
    predictions: row.predictions,
    labelled: row.labelled,
    corrections: row.corrections,
    closed: row.closed === 1,
    evaluatedAtMs: row.evaluated_at_ms,
  }));
}
