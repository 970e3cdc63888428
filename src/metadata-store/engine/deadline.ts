import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { PipelineRunStatus, PipelineTables, StepRunStatus } from "./tables.ts";

/** As a definition declares it. */
export interface SavedDeadline {
  /** Empty: of the pipeline. */
  readonly step: string;
  /** After a run was asked for. */
  readonly withinMs?: number;
  /** Time of each day, `08:30`. */
  readonly at?: string;
  readonly timezone?: string;
  /** Of a time of the day: the first that is judged. */
  readonly nextAtMs?: number;
}

/** A deadline with how far it was judged. Times are epoch milliseconds. */
export interface Deadline extends SavedDeadline {
  readonly project: string;
  readonly pipeline: string;
  /** Runs asked for until then were judged; of a time of the day, the last one that was. */
  readonly seenUntilMs: number;
  readonly revision: number;
}

/** What missed its deadline and has not ended. */
export interface Late {
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
  /** Id of a pipeline run, or the moment of a daily deadline. */
  readonly subject: string;
  /** What was asked for before does not count. */
  readonly fromMs: number;
  readonly dueAtMs: number;
}

/** How far a run, or a step of it, has come. */
export interface Standing {
  readonly status: PipelineRunStatus | "missing";
  readonly endedAtMs: number | undefined;
}

const ENDED: readonly string[] = ["succeeded", "failed", "cancelled"];
const OPEN: readonly StepRunStatus[] = ["pending", "queued", "running", "waiting"];

/** Makes these the deadlines of a pipeline; one that is declared as before goes on where it was. */
export async function saveDeadlines(
  transaction: WriteTransaction,
  of: {
    readonly project: string;
    readonly name: string;
    readonly deadlines: readonly SavedDeadline[];
    readonly atMs: number;
  },
): Promise<void> {
  const { project, name, deadlines, atMs } = of;
  const ofPipeline = () =>
    transaction.selectFrom("deadline").selectAll().where("project", "=", project).where("pipeline", "=", name);
  const known = await ofPipeline().execute();
  for (const { step } of known)
    if (!deadlines.some((deadline) => deadline.step === step))
      await transaction
        .deleteFrom("deadline")
        .where("project", "=", project)
        .where("pipeline", "=", name)
        .where("step", "=", step)
        .execute();
  for (const { step, withinMs, at, timezone, nextAtMs } of deadlines) {
    const declared = { within_ms: withinMs ?? null, at: at ?? null, timezone: timezone ?? null };
    const same = known.find(
      (row) =>
        row.step === step &&
        row.within_ms === declared.within_ms &&
        row.at === declared.at &&
        row.timezone === declared.timezone,
    );
    if (same !== undefined) continue;
    const fresh = { ...declared, seen_until_ms: atMs, next_at_ms: nextAtMs ?? null };
    await transaction
      .insertInto("deadline")
      .values({ project, pipeline: name, step, revision: 0, ...fresh })
      .onConflict((conflict) =>
        conflict
          .columns(["project", "pipeline", "step"])
          .doUpdateSet((update) => ({ ...fresh, revision: update("deadline.revision", "+", 1) })),
      )
      .execute();
  }
}

/** Deadlines of a project: at most 10,000. */
export async function listDeadlines(transaction: ReadTransaction, project: string): Promise<readonly Deadline[]> {
  const rows = await transaction
    .selectFrom("deadline")
    .selectAll()
    .where("project", "=", project)
    .orderBy("pipeline")
    .orderBy("step")
    .limit(10_000)
    .execute();
  return rows.map(toDeadline);
}

/**
 * Takes a judgement for itself: false when another engine was quicker. Call it before what else the judgement writes.
 */
export async function advanceDeadline(
  transaction: WriteTransaction,
  deadline: Deadline,
  to: { readonly seenUntilMs: number; readonly nextAtMs?: number | undefined },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("deadline")
    .set({ seen_until_ms: to.seenUntilMs, next_at_ms: to.nextAtMs ?? null, revision: deadline.revision + 1 })
    .where("project", "=", deadline.project)
    .where("pipeline", "=", deadline.pipeline)
    .where("step", "=", deadline.step)
    .where("revision", "=", deadline.revision)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** A run as deadlines see it. */
export interface AskedRun {
  readonly id: string;
  readonly createdAtMs: number;
  readonly status: PipelineRunStatus;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
}

/**
 * Runs of a pipeline by when they were asked for, the first 100 and all of the same moment as the last. Those of
 * backfills, which make up for the past, are left out.
 */
export async function listRunsAskedFor(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pipeline: string; readonly afterMs: number; readonly untilMs: number },
): Promise<readonly AskedRun[]> {
  const select = transaction
    .selectFrom("pipeline_run")
    .select(["id", "created_at_ms", "status", "started_at_ms", "finished_at_ms"])
    .where("project", "=", of.project)
    .where("pipeline", "=", of.pipeline)
    .where("trigger_kind", "<>", "backfill")
    .orderBy("created_at_ms");
  const rows = await select
    .where("created_at_ms", ">", of.afterMs)
    .where("created_at_ms", "<=", of.untilMs)
    .limit(100)
    .execute();
  const last = rows.length === 100 ? rows.at(-1)?.created_at_ms : undefined;
  const known = new Set(rows.map(({ id }) => id));
  const same = last === undefined ? [] : await select.where("created_at_ms", "=", last).execute();
  return [...rows, ...same.filter(({ id }) => !known.has(id))].map(toAskedRun);
}

/** The newest run since a moment that nobody cut down to some steps; one that succeeded, if there is any. */
export async function findRunSince(
  transaction: ReadTransaction,
  of: {
    readonly project: string;
    readonly pipeline: string;
    readonly fromMs: number;
    readonly status?: "succeeded";
  },
): Promise<AskedRun | undefined> {
  let select = transaction
    .selectFrom("pipeline_run")
    .select(["id", "created_at_ms", "status", "started_at_ms", "finished_at_ms"])
    .where("project", "=", of.project)
    .where("pipeline", "=", of.pipeline)
    .where("created_at_ms", ">=", of.fromMs)
    .where("trigger_kind", "<>", "backfill")
    .where("selection", "=", "{}");
  if (of.status !== undefined) select = select.where("status", "=", of.status);
  const row = await select
    .orderBy("finished_at_ms", of.status === undefined ? "desc" : "asc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toAskedRun(row);
}

/** How far a run has come, or a step of it; undefined where the step is no part of the run. */
export async function findStanding(
  transaction: ReadTransaction,
  of: { readonly pipelineRunId: string; readonly step: string },
): Promise<Standing | undefined> {
  const run = await transaction
    .selectFrom("pipeline_run")
    .select(["status", "finished_at_ms"])
    .where("id", "=", of.pipelineRunId)
    .executeTakeFirst();
  if (run === undefined) return { status: "missing", endedAtMs: undefined };
  const whole = {
    status: run.status,
    endedAtMs: ENDED.includes(run.status) ? (run.finished_at_ms ?? undefined) : undefined,
  };
  if (of.step === "") return whole;
  const rows = await transaction
    .selectFrom("step_run")
    .select(["status"])
    .select((select) => [select.fn.max("finished_at_ms").as("finished"), select.fn.countAll<number>().as("count")])
    .where("pipeline_run_id", "=", of.pipelineRunId)
    .where("step", "=", of.step)
    .groupBy("status")
    .execute();
  if (rows.length === 0) return undefined;
  if (whole.endedAtMs === undefined && rows.some(({ status }) => OPEN.includes(status))) return whole;
  const ends = rows.flatMap(({ finished }) => (finished === null ? [] : [Number(finished)]));
  const status = rows.some((row) => row.status === "failed")
    ? "failed"
    : rows.some((row) => row.status === "cancelled")
      ? "cancelled"
      : "succeeded";
  return { status, endedAtMs: ends.length === 0 ? whole.endedAtMs : Math.max(...ends) };
}

export async function insertLate(transaction: WriteTransaction, late: Late): Promise<void> {
  await transaction
    .insertInto("late")
    .values({
      project: late.project,
      pipeline: late.pipeline,
      step: late.step,
      subject: late.subject,
      from_ms: late.fromMs,
      due_at_ms: late.dueAtMs,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** What is late, the oldest first: at most 1,000. */
export async function listLate(transaction: ReadTransaction, project: string): Promise<readonly Late[]> {
  const rows = await transaction
    .selectFrom("late")
    .selectAll()
    .where("project", "=", project)
    .orderBy("due_at_ms")
    .limit(1000)
    .execute();
  return rows.map((row) => ({
    project: row.project,
    pipeline: row.pipeline,
    step: row.step,
    subject: row.subject,
    fromMs: row.from_ms,
    dueAtMs: row.due_at_ms,
  }));
}

/** False when it was taken off already. */
export async function deleteLate(transaction: WriteTransaction, late: Late): Promise<boolean> {
  const { numDeletedRows } = await transaction
    .deleteFrom("late")
    .where("project", "=", late.project)
    .where("pipeline", "=", late.pipeline)
    .where("step", "=", late.step)
    .where("subject", "=", late.subject)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}

function toAskedRun(
  row: Pick<
    Selectable<PipelineTables["pipeline_run"]>,
    "id" | "created_at_ms" | "status" | "started_at_ms" | "finished_at_ms"
  >,
): AskedRun {
  return {
    id: row.id,
    createdAtMs: row.created_at_ms,
    status: row.status,
    startedAtMs: row.started_at_ms ?? undefined,
    finishedAtMs: row.finished_at_ms ?? undefined,
  };
}

function toDeadline(row: Selectable<PipelineTables["deadline"]>): Deadline {
  return {
    project: row.project,
    pipeline: row.pipeline,
    step: row.step,
    ...(row.within_ms === null ? {} : { withinMs: row.within_ms }),
    ...(row.at === null ? {} : { at: row.at, timezone: row.timezone ?? "UTC" }),
    ...(row.next_at_ms === null ? {} : { nextAtMs: row.next_at_ms }),
    seenUntilMs: row.seen_until_ms,
    revision: row.revision,
  };
}
