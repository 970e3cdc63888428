import { type Selectable, sql } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { appendEvent, type EventsOf } from "../event/append-event.ts";
import { prepare } from "../prepared.ts";
import { queueStepRuns } from "./queue-step-runs.ts";
import type { PipelineRunStatus, PipelineTables } from "./tables.ts";

/** After step runs changed: ends the pipeline run when nothing of it is open, and lets the next one of its group in. */
export async function settlePipelineRun(
  transaction: WriteTransaction,
  run: Selectable<PipelineTables["pipeline_run"]>,
  atMs: number,
): Promise<PipelineRunStatus> {
  if (run.status !== "running" && run.status !== "waiting") return run.status;
  const [open] = (await selectOpen(transaction, { run: run.id })).rows;
  if (open !== undefined) {
    const status = open.moving === 1 ? "running" : "waiting";
    if (status === run.status) return status;
    await appendRunEvent(transaction, run, { what: status === "waiting" ? "waited" : "continued", atMs });
    return changePlace(transaction, run, { status, atMs });
  }
  const failed = await transaction
    .selectFrom("step_run")
    .select(["step", "error"])
    .where("pipeline_run_id", "=", run.id)
    .where("status", "=", "failed")
    .orderBy("finished_at_ms")
    .limit(1)
    .executeTakeFirst();
  const blocked = await transaction
    .selectFrom("run_step")
    .select(["step", "reason"])
    .where("pipeline_run_id", "=", run.id)
    .where("outcome", "=", "blocked")
    .orderBy("position")
    .limit(1)
    .executeTakeFirst();
  const status: PipelineRunStatus =
    run.cancel_requested > 0 ? "cancelled" : failed === undefined ? "succeeded" : "failed";
  await transaction
    .updateTable("pipeline_run")
    .set({
      status,
      finished_at_ms: atMs,
      blocked: blocked === undefined ? null : `${blocked.step} refused: ${blocked.reason ?? ""}`,
      error:
        failed === undefined
          ? null
          : JSON.stringify({ step: failed.step, ...(JSON.parse(failed.error ?? "{}") as object) }),
    })
    .where("id", "=", run.id)
    .execute();
  await appendRunEvent(transaction, run, { what: status, atMs });
  if (run.concurrency_group !== null)
    await admitPipelineRuns(transaction, { project: run.project, group: run.concurrency_group, atMs });
  return status;
}

/** A run that waits for a gate holds no place in its group; when it goes on it takes one again, behind older runs. */
async function changePlace(
  transaction: WriteTransaction,
  run: Selectable<PipelineTables["pipeline_run"]>,
  to: { readonly status: "running" | "waiting"; readonly atMs: number },
): Promise<PipelineRunStatus> {
  const isGrouped = run.concurrency_group !== null && run.cancel_requested === 0;
  const status = isGrouped && to.status === "running" ? "queued" : to.status;
  await transaction.updateTable("pipeline_run").set({ status }).where("id", "=", run.id).execute();
  if (run.concurrency_group !== null)
    await admitPipelineRuns(transaction, { project: run.project, group: run.concurrency_group, atMs: to.atMs });
  const now = await transaction
    .selectFrom("pipeline_run")
    .select("status")
    .where("id", "=", run.id)
    .executeTakeFirstOrThrow();
  return now.status;
}

/**
 * Starts the queued runs of a concurrency group that fit, in the transaction that made room: by priority, then the
 * oldest first.
 */
export async function admitPipelineRuns(
  transaction: WriteTransaction,
  facts: { readonly project: string; readonly group: string; readonly atMs: number },
): Promise<void> {
  await lockSlotGroup(transaction, facts.project, `pipeline:${facts.group}`);
  const ofGroup = transaction
    .selectFrom("pipeline_run")
    .where("project", "=", facts.project)
    .where("concurrency_group", "=", facts.group);
  const { count } = await ofGroup
    .where("status", "=", "running")
    .select((select) => select.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  let active = Number(count);
  const waiting = await ofGroup
    .where("status", "=", "queued")
    .selectAll()
    .orderBy("priority", "desc")
    .orderBy("id")
    .limit(50)
    .execute();
  for (const run of waiting) {
    if (active >= (run.concurrency_limit ?? Infinity)) return;
    await startPipelineRun(transaction, run, facts.atMs);
    active++;
  }
}

/** Moves a queued run to running and queues the steps that wait for nothing. */
export async function startPipelineRun(
  transaction: WriteTransaction,
  run: Selectable<PipelineTables["pipeline_run"]>,
  atMs: number,
): Promise<void> {
  await transaction
    .updateTable("pipeline_run")
    .set({ status: "running", started_at_ms: run.started_at_ms ?? atMs })
    .where("id", "=", run.id)
    .where("status", "in", ["queued", "interrupted"])
    .execute();
  await appendRunEvent(transaction, run, { what: "started", atMs });
  await queueReadySteps(transaction, run.id, atMs);
}

/** Queues the pending step runs of all steps that depend on nothing open. */
export async function queueReadySteps(
  transaction: WriteTransaction,
  pipelineRunId: string,
  atMs: number,
): Promise<void> {
  await transaction
    .updateTable("step_run")
    .set({ status: "queued", queued_at_ms: atMs, ready_at_ms: atMs })
    .where("pipeline_run_id", "=", pipelineRunId)
    .where("status", "=", "pending")
    .where(
      "step",
      "in",
      transaction
        .selectFrom("run_step")
        .select("step")
        .where("pipeline_run_id", "=", pipelineRunId)
        .where("pending", "=", 0)
        .where("max_parallel", "is", null),
    )
    .execute();
  const limited = await transaction
    .selectFrom("run_step")
    .select(["step", "max_parallel"])
    .where("pipeline_run_id", "=", pipelineRunId)
    .where("pending", "=", 0)
    .where("max_parallel", "is not", null)
    .execute();
  for (const { step, max_parallel: maxParallel } of limited)
    await queueStepRuns(transaction, { pipelineRunId, step, atMs, maxParallel });
}

/** Holds a group for this transaction, so that two engines do not both see the last free place. */
export async function lockSlotGroup(transaction: WriteTransaction, project: string, group: string): Promise<void> {
  await transaction
    .insertInto("slot_group")
    .values({ project, group_name: group, revision: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(["project", "group_name"])
        .doUpdateSet((update) => ({ revision: update("slot_group.revision", "+", 1) })),
    )
    .execute();
}

type RunHappening = EventsOf<"pipeline_run">["type"] extends `pipeline_run.${infer What}`
  ? Exclude<What, "acknowledged" | "queued" | "trigger_merged">
  : never;

/** The events of a pipeline run: `pipeline_run.started`, `…succeeded`, … */
export async function appendRunEvent(
  transaction: WriteTransaction,
  run: Selectable<PipelineTables["pipeline_run"]>,
  happened: { readonly what: RunHappening; readonly atMs: number; readonly actor?: string },
): Promise<void> {
  await appendEvent(transaction, {
    atMs: happened.atMs,
    project: run.project,
    type: `pipeline_run.${happened.what}`,
    subjectKind: "pipeline_run",
    subject: run.id,
    actor: happened.actor ?? run.actor,
    data: { pipeline: run.pipeline },
  });
}

/**
 * A row when something of a run is open, and whether anything of it moves. One index seek per status: an `in` list
 * would be planned as a scan of the run on some databases.
 */
const selectOpen = prepare((_, { run }: { readonly run: string }) => {
  const has = (status: string) =>
    sql<boolean>`exists (select 1 from step_run where pipeline_run_id = ${run} and status = ${sql.lit(status)})`;
  const moving = sql<boolean>`(${has("queued")} or ${has("running")})`;
  return sql<{ moving: number }>`
    select case when ${moving} then 1 else 0 end as moving
    where ${moving} or ${has("pending")} or ${has("waiting")}`;
});
