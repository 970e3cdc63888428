import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";
import { databaseNow } from "./database-time.ts";

const IDS_PER_QUERY = 1000;

/** A process that works on the queue: where it lives, so that others can tell whether it still does. */
export interface EngineInstance {
  readonly id: string;
  readonly project: string;
  /** Host and boot: equal only while the process table is the same. */
  readonly host: string;
  readonly pid: number;
  /** Start time of the process as its system tells it; empty where it does not. */
  readonly processStart: string;
}

/** Registers an engine under a lease. */
export async function registerEngine(
  transaction: WriteTransaction,
  engine: EngineInstance & { readonly leaseMs: number; readonly atMs: number },
): Promise<void> {
  await transaction
    .insertInto("engine_instance")
    .values({
      id: engine.id,
      project: engine.project,
      host: engine.host,
      pid: engine.pid,
      process_start: engine.processStart,
      started_at_ms: engine.atMs,
      lease_expires_at_ms: (await databaseNow(transaction)) + engine.leaseMs,
      stopped: 0,
    })
    .execute();
}

/**
 * Prolongs an engine's lease and with it those of its attempts and slots.
 *
 * @returns ids of the attempts that are still its own: what is missing was taken away and must stop
 */
export async function renewLeases(
  transaction: WriteTransaction,
  engine: { readonly id: string; readonly leaseMs: number },
): Promise<readonly string[]> {
  const expires = (await databaseNow(transaction)) + engine.leaseMs;
  await transaction
    .updateTable("engine_instance")
    .set({ lease_expires_at_ms: expires })
    .where("id", "=", engine.id)
    .where("stopped", "=", 0)
    .execute();
  const kept = await transaction
    .updateTable("attempt")
    .set({ lease_expires_at_ms: expires })
    .where("owner", "=", engine.id)
    .where("status", "=", "running")
    .returning("id")
    .execute();
  await transaction
    .updateTable("slot")
    .set({ expires_at_ms: expires })
    .where(
      "holder",
      "in",
      transaction.selectFrom("attempt").select("id").where("owner", "=", engine.id).where("status", "=", "running"),
    )
    .execute();
  return kept.map((row) => row.id);
}

/** An engine that ended by itself: nobody needs to wait for its lease. */
export async function retireEngine(transaction: WriteTransaction, id: string): Promise<void> {
  await transaction
    .updateTable("engine_instance")
    .set({ stopped: 1, lease_expires_at_ms: 0 })
    .where("id", "=", id)
    .execute();
}

/** Engines of the project that have not said that they ended, without this one: oldest first, at most 1,000. */
export async function listOtherEngines(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly engineId: string },
): Promise<readonly EngineInstance[]> {
  const rows = await transaction
    .selectFrom("engine_instance")
    .select(["id", "project", "host", "pid", "process_start"])
    .where("project", "=", query.project)
    .where("stopped", "=", 0)
    .where("id", "!=", query.engineId)
    .orderBy("id")
    .limit(1000)
    .execute();
  return rows.map(({ process_start: processStart, ...engine }) => ({ ...engine, processStart }));
}

/** Of these attempts, the ones that have ended. Unknown ids are not among them. */
export async function listEndedAttempts(
  transaction: ReadTransaction,
  ids: readonly string[],
): Promise<readonly string[]> {
  const ended: string[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
    const rows = await transaction
      .selectFrom("attempt")
      .select("id")
      .where("id", "in", ids.slice(start, start + IDS_PER_QUERY))
      .where("status", "!=", "running")
      .execute();
    ended.push(...rows.map(({ id }) => id));
  }
  return ended;
}

/** A running attempt of another engine, with what is needed to judge whether that engine lives. */
export interface ForeignAttempt {
  readonly attemptId: string;
  readonly token: number;
  readonly stepRunId: string;
  readonly pipelineRunId: string;
  readonly startedAtMs: number;
  readonly leaseExpired: boolean;
  readonly owner:
    | { readonly host: string; readonly pid: number; readonly processStart: string; readonly stopped: boolean }
    | undefined;
}

/** Running attempts that other engines hold. */
export async function listForeignAttempts(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly engineId: string; readonly pipelineRunId?: string | undefined },
): Promise<readonly ForeignAttempt[]> {
  let select = transaction
    .selectFrom("attempt")
    .leftJoin("engine_instance", "engine_instance.id", "attempt.owner")
    .select([
      "attempt.id as id",
      "attempt.token as token",
      "attempt.step_run_id as step_run_id",
      "attempt.pipeline_run_id as pipeline_run_id",
      "attempt.started_at_ms as started_at_ms",
      "attempt.lease_expires_at_ms as lease_expires_at_ms",
      "engine_instance.host as host",
      "engine_instance.pid as pid",
      "engine_instance.process_start as process_start",
      "engine_instance.stopped as stopped",
    ])
    .where("attempt.project", "=", query.project)
    .where("attempt.status", "=", "running")
    .where("attempt.owner", "!=", query.engineId);
  if (query.pipelineRunId !== undefined) select = select.where("attempt.pipeline_run_id", "=", query.pipelineRunId);
  const now = await databaseNow(transaction);
  const rows = await select.orderBy("attempt.lease_expires_at_ms").limit(1000).execute();
  return rows.map((row) => ({
    attemptId: row.id,
    token: row.token,
    stepRunId: row.step_run_id,
    pipelineRunId: row.pipeline_run_id,
    startedAtMs: row.started_at_ms,
    leaseExpired: row.lease_expires_at_ms <= now,
    owner:
      row.host === null || row.pid === null
        ? undefined
        : { host: row.host, pid: row.pid, processStart: row.process_start ?? "", stopped: row.stopped === 1 },
  }));
}

/**
 * Attempts of this engine that end because someone cancelled their pipeline run, or because another item of their step
 * failed and ends the rest.
 */
export async function listCancelledAttempts(
  transaction: ReadTransaction,
  query: { readonly engineId: string },
): Promise<readonly string[]> {
  const { rows } = await selectCancelled(transaction, query);
  return rows.map(({ id }) => id);
}

const selectCancelled = prepare((transaction, query: { readonly engineId: string }) =>
  transaction
    .selectFrom("attempt")
    .innerJoin("pipeline_run", "pipeline_run.id", "attempt.pipeline_run_id")
    .innerJoin("step_run", "step_run.id", "attempt.step_run_id")
    .innerJoin("run_step", (join) =>
      join
        .onRef("run_step.pipeline_run_id", "=", "step_run.pipeline_run_id")
        .onRef("run_step.step", "=", "step_run.step"),
    )
    .select("attempt.id as id")
    .where("attempt.owner", "=", query.engineId)
    .where("attempt.status", "=", "running")
    .where((is) =>
      is.or([
        is.and([is("run_step.fail_fast", "=", 1), is("run_step.outcome", "=", "failed")]),
        is("pipeline_run.cancel_requested", "=", 2),
        is.and([is("pipeline_run.cancel_requested", "=", 1), is("step_run.own_condition", "!=", 1)]),
      ]),
    )
    .limit(1000),
);

/** Keeps the MLflow run that belongs to an attempt. */
export async function setAttemptTrackingRun(
  transaction: WriteTransaction,
  facts: { readonly attemptId: string; readonly trackingRunId: string },
): Promise<void> {
  await transaction
    .updateTable("attempt")
    .set({ tracking_run_id: facts.trackingRunId })
    .where("id", "=", facts.attemptId)
    .execute();
}
