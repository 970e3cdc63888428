import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { lockPipelineRun } from "./end-step-run.ts";
import { matchesPattern } from "#base";
import type { PipelineTables, TriggerKind } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** Names of the pipelines that subscribe to a subject; a pattern may hold `*`. */
export async function findTriggeredPipelines(
  transaction: ReadTransaction,
  fired: { readonly project: string; readonly on: TriggerKind; readonly subject: string },
): Promise<readonly string[]> {
  const rows = await transaction
    .selectFrom("trigger_subscription")
    .select(["pattern", "wildcard", "pipeline"])
    .where("project", "=", fired.project)
    .where("on_kind", "=", fired.on)
    .where((is) => is.or([is("pattern", "=", fired.subject), is("wildcard", "=", 1)]))
    .orderBy("pipeline")
    .limit(1000)
    .execute();
  return [
    ...new Set(
      rows.filter((row) => row.wildcard === 0 || matchesPattern(fired.subject, row.pattern)).map((row) => row.pipeline),
    ),
  ];
}

/**
 * A run of a pipeline that was started the same way and of which no step has begun: a further trigger can be merged
 * into it.
 */
export async function findMergeableRun(
  transaction: WriteTransaction,
  key: { readonly project: string; readonly pipeline: string; readonly triggerKind: TriggerKind },
): Promise<string | undefined> {
  const row = await transaction
    .selectFrom("pipeline_run")
    .select("id")
    .where("project", "=", key.project)
    .where("status", "in", ["queued", "running"])
    .where("pipeline", "=", key.pipeline)
    .where("trigger_kind", "=", key.triggerKind)
    .where("cancel_requested", "=", 0)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  // A claim takes this lock too: what has not begun by now begins after this transaction, and sees what it wrote.
  await lockPipelineRun(transaction, row.id);
  const begun = await transaction
    .selectFrom("step_run")
    .select("id")
    .where("pipeline_run_id", "=", row.id)
    .where("started_at_ms", "is not", null)
    .limit(1)
    .executeTakeFirst();
  return begun === undefined ? row.id : undefined;
}

type Schedule = Selectable<PipelineTables["schedule"]>;

/** Schedules whose tick has come, oldest first. */
export async function listDueSchedules(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly atMs: number },
): Promise<readonly Schedule[]> {
  return transaction
    .selectFrom("schedule")
    .selectAll()
    .where("project", "=", query.project)
    .where("next_at_ms", "<=", query.atMs)
    .orderBy("next_at_ms")
    .limit(100)
    .execute();
}

/** Schedules by next tick, of one pipeline or of all. */
export async function listSchedules(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly pipeline?: string | undefined; readonly limit?: number },
): Promise<readonly Schedule[]> {
  let select = transaction.selectFrom("schedule").selectAll().where("project", "=", query.project);
  if (query.pipeline !== undefined) select = select.where("pipeline", "=", query.pipeline);
  return select
    .orderBy("next_at_ms")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
}

/** Moves a schedule on, if nobody else did: true when this call was the one that did. */
export async function advanceSchedule(
  transaction: WriteTransaction,
  schedule: {
    readonly project: string;
    readonly pipeline: string;
    readonly position: number;
    readonly fromMs: number;
    readonly nextAtMs: number;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("schedule")
    .set({ next_at_ms: schedule.nextAtMs, last_at_ms: schedule.fromMs })
    .where("project", "=", schedule.project)
    .where("pipeline", "=", schedule.pipeline)
    .where("position", "=", schedule.position)
    .where("next_at_ms", "=", schedule.fromMs)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
