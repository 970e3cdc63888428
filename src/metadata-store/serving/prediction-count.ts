import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { EndpointKey } from "./endpoint.ts";
import type { PredictionArm } from "./prediction.ts";

const HOUR_MS = 3_600_000;
// 11 values a row.
const HOURS_PER_STATEMENT = 1000;

/** What changed of the log for one row of it. */
export interface PredictionChange extends EndpointKey {
  readonly modelVersionId: string;
  readonly arm: PredictionArm;
  /** Event time, epoch ms. */
  readonly atMs: number;
  readonly receivedAtMs: number;
  readonly predictions: 0 | 1;
  readonly labelled: 0 | 1;
  readonly corrections: 0 | 1;
}

interface Count {
  predictions: number;
  labelled: number;
  corrections: number;
  firstAtMs: number;
  lastAtMs: number;
  receivedAtMs: number;
}

/** What one model version did in one arm of an endpoint. */
interface ArmChange extends EndpointKey {
  readonly modelVersionId: string;
  readonly arm: PredictionArm;
  readonly total: Count;
  readonly hours: Map<number, Count>;
}

/**
 * Carries changes of the log over to its counters, in the transaction that makes them. Only what writes predictions and
 * labels calls it.
 *
 * Counters of one version and arm change one writer after the other, so that revisions become visible in their order:
 * whoever has read revision 7 finds everything that came later among the hours with a larger one.
 */
export async function changeCounts(transaction: WriteTransaction, changes: readonly PredictionChange[]): Promise<void> {
  // In one order, so that two writers never wait for each other.
  for (const change of gather(changes)) {
    const { project, environment, endpoint, modelVersionId, arm, total } = change;
    const key = { project, environment, endpoint, model_version_id: modelVersionId, arm };
    const { rows } = await sql<{ revision: number }>`
      insert into prediction_total (project, environment, endpoint, model_version_id, arm, predictions, labelled, corrections, first_at_ms, last_at_ms, revision)
      values (${project}, ${environment}, ${endpoint}, ${modelVersionId}, ${arm}, ${total.predictions}, ${total.labelled}, ${total.corrections}, ${total.firstAtMs}, ${total.lastAtMs}, 1)
      on conflict (project, environment, endpoint, model_version_id, arm) do update set
        predictions = prediction_total.predictions + excluded.predictions,
        labelled = prediction_total.labelled + excluded.labelled,
        corrections = prediction_total.corrections + excluded.corrections,
        first_at_ms = case when excluded.first_at_ms < prediction_total.first_at_ms then excluded.first_at_ms else prediction_total.first_at_ms end,
        last_at_ms = case when excluded.last_at_ms > prediction_total.last_at_ms then excluded.last_at_ms else prediction_total.last_at_ms end,
        revision = prediction_total.revision + 1
      returning revision`.execute(transaction);
    const revision = Number(rows[0]?.revision);
    const hours = [...change.hours].map(([hourMs, count]) => ({
      ...key,
      hour_ms: hourMs,
      predictions: count.predictions,
      labelled: count.labelled,
      corrections: count.corrections,
      last_received_at_ms: count.receivedAtMs,
      revision,
    }));
    for (let start = 0; start < hours.length; start += HOURS_PER_STATEMENT)
      await addHours(transaction, hours.slice(start, start + HOURS_PER_STATEMENT));
  }
}

async function addHours(
  transaction: WriteTransaction,
  rows: readonly Readonly<
    Record<"hour_ms" | "predictions" | "labelled" | "corrections" | "last_received_at_ms" | "revision", number> &
      Record<"project" | "environment" | "endpoint" | "model_version_id", string> & { arm: PredictionArm }
  >[],
): Promise<void> {
  await transaction
    .insertInto("prediction_hour")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["project", "environment", "endpoint", "hour_ms", "model_version_id", "arm"]).doUpdateSet({
        predictions: sql<number>`prediction_hour.predictions + excluded.predictions`,
        labelled: sql<number>`prediction_hour.labelled + excluded.labelled`,
        corrections: sql<number>`prediction_hour.corrections + excluded.corrections`,
        last_received_at_ms: sql<number>`case when excluded.last_received_at_ms > prediction_hour.last_received_at_ms then excluded.last_received_at_ms else prediction_hour.last_received_at_ms end`,
        revision: sql<number>`excluded.revision`,
      }),
    )
    .execute();
}

function gather(changes: readonly PredictionChange[]): readonly ArmChange[] {
  const arms = new Map<string, ArmChange>();
  for (const change of changes) {
    const { project, environment, endpoint, modelVersionId, arm } = change;
    const name = JSON.stringify([project, environment, endpoint, modelVersionId, arm]);
    let known = arms.get(name);
    if (known === undefined)
      arms.set(
        name,
        (known = { project, environment, endpoint, modelVersionId, arm, total: emptyCount(), hours: new Map() }),
      );
    const hourMs = Math.floor(change.atMs / HOUR_MS) * HOUR_MS;
    let hour = known.hours.get(hourMs);
    if (hour === undefined) known.hours.set(hourMs, (hour = emptyCount()));
    add(known.total, change);
    add(hour, change);
  }
  return [...arms]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, arm]) => ({ ...arm, hours: new Map([...arm.hours].sort(([left], [right]) => left - right)) }));
}

function emptyCount(): Count {
  return {
    predictions: 0,
    labelled: 0,
    corrections: 0,
    firstAtMs: Infinity,
    lastAtMs: -Infinity,
    receivedAtMs: -Infinity,
  };
}

function add(count: Count, change: PredictionChange): void {
  count.predictions += change.predictions;
  count.labelled += change.labelled;
  count.corrections += change.corrections;
  count.firstAtMs = Math.min(count.firstAtMs, change.atMs);
  count.lastAtMs = Math.max(count.lastAtMs, change.atMs);
  count.receivedAtMs = Math.max(count.receivedAtMs, change.receivedAtMs);
}

/** What one model version answered on an endpoint, in one arm, since the endpoint exists. */
export interface PredictionTotal {
  readonly endpoint: string;
  readonly environment: string;
  readonly modelVersionId: string;
  readonly arm: PredictionArm;
  readonly predictions: number;
  readonly labelled: number;
  /** How often a label was replaced by a different one. */
  readonly corrections: number;
  /** Event times, epoch ms. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** Grows with each change of the counters of this version and arm. */
  readonly revision: number;
}

/** Totals of one endpoint, or of all of a project; shadows, which nobody saw, are left out. */
export async function listPredictionTotals(
  transaction: ReadTransaction,
  key: Pick<EndpointKey, "project"> & Partial<EndpointKey>,
): Promise<readonly PredictionTotal[]> {
  let select = transaction
    .selectFrom("prediction_total")
    .selectAll()
    .where("project", "=", key.project)
    .where("arm", "!=", "shadow");
  if (key.environment !== undefined) select = select.where("environment", "=", key.environment);
  if (key.endpoint !== undefined) select = select.where("endpoint", "=", key.endpoint);
  const rows = await select.execute();
  return rows.map((row) => ({
    endpoint: row.endpoint,
    environment: row.environment,
    modelVersionId: row.model_version_id,
    arm: row.arm,
    predictions: Number(row.predictions),
    labelled: Number(row.labelled),
    corrections: Number(row.corrections),
    firstAtMs: Number(row.first_at_ms),
    lastAtMs: Number(row.last_at_ms),
    revision: Number(row.revision),
  }));
}

/** What one model version answered in one window. */
export interface WindowCount {
  readonly startMs: number;
  readonly modelVersionId: string;
  readonly predictions: number;
  readonly labelled: number;
  readonly corrections: number;
  /** When the last of them was received, epoch ms. */
  readonly receivedAtMs: number;
}

/**
 * Answered predictions by window and model version, from the hours' counters. Shadows are left out.
 *
 * @param windows.originMs start of some window, on a full hour; epoch ms
 * @param windows.lengthMs length of each, in whole hours
 * @param windows.fromMs start of the first window asked for; default: all
 * @param windows.toMs end of the last one, excluded
 */
export async function countWindows(
  transaction: ReadTransaction,
  windows: EndpointKey & {
    readonly originMs: number;
    readonly lengthMs: number;
    readonly fromMs?: number | undefined;
    readonly toMs?: number | undefined;
  },
): Promise<readonly WindowCount[]> {
  const length = sql.lit(windows.lengthMs);
  const startMs = sql<number>`hour_ms - (((hour_ms - ${sql.lit(windows.originMs)}) % ${length}) + ${length}) % ${length}`;
  let select = transaction
    .selectFrom("prediction_hour")
    .select((of) => [
      startMs.as("start_ms"),
      "model_version_id",
      of.fn.sum<number>("predictions").as("predictions"),
      of.fn.sum<number>("labelled").as("labelled"),
      of.fn.sum<number>("corrections").as("corrections"),
      of.fn.max("last_received_at_ms").as("received_at_ms"),
    ])
    .where("project", "=", windows.project)
    .where("environment", "=", windows.environment)
    .where("endpoint", "=", windows.endpoint)
    .where("arm", "!=", "shadow");
  if (windows.fromMs !== undefined) select = select.where("hour_ms", ">=", windows.fromMs);
  if (windows.toMs !== undefined) select = select.where("hour_ms", "<", windows.toMs);
  const rows = await select
    .groupBy([startMs, "model_version_id"])
    .orderBy(startMs)
    .orderBy("model_version_id")
    .execute();
  return rows.map((row) => ({
    startMs: Number(row.start_ms),
    modelVersionId: row.model_version_id,
    predictions: Number(row.predictions),
    labelled: Number(row.labelled),
    corrections: Number(row.corrections),
    receivedAtMs: Number(row.received_at_ms),
  }));
}

/** Hours of one version and arm whose counters changed after a revision; epoch ms, ascending. */
export async function listChangedHours(
  transaction: ReadTransaction,
  key: EndpointKey & { readonly modelVersionId: string; readonly arm: PredictionArm; readonly afterRevision: number },
): Promise<readonly number[]> {
  const rows = await transaction
    .selectFrom("prediction_hour")
    .select("hour_ms")
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("model_version_id", "=", key.modelVersionId)
    .where("arm", "=", key.arm)
    .where("revision", ">", key.afterRevision)
    .orderBy("hour_ms")
    .execute();
  return rows.map(({ hour_ms: hourMs }) => Number(hourMs));
}
