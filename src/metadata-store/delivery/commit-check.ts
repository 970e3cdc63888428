import { type Expression, type SqlBool, sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { PipelineRunStatus } from "../engine/tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** A pipeline run whose forge is to be told how it goes. */
export interface CommitCheck {
  readonly pipelineRunId: string;
  readonly project: string;
  readonly commit: string;
  readonly pipeline: string;
  readonly status: PipelineRunStatus;
  readonly attempts: number;
}

/** Has a forge told of these pipeline runs. */
export async function queueCommitChecks(
  transaction: WriteTransaction,
  checks: {
    readonly project: string;
    readonly commit: string;
    readonly pipelineRunIds: readonly string[];
    readonly pullRequest?: number | undefined;
    readonly atMs: number;
  },
): Promise<void> {
  for (const id of checks.pipelineRunIds)
    await transaction
      .insertInto("commit_check")
      .expression((from) =>
        from
          .selectFrom("pipeline_run")
          .select([
            "pipeline_run.id",
            "pipeline_run.project",
            sql<string>`${checks.commit}`.as("commit_id"),
            "pipeline_run.pipeline",
            sql<number | null>`cast(${checks.pullRequest ?? null} as bigint)`.as("pull_request"),
            sql<string | null>`null`.as("told"),
            sql<string | null>`null`.as("refused"),
            sql<number>`0`.as("attempts"),
            sql<number>`cast(${checks.atMs} as bigint)`.as("next_at_ms"),
            sql<string | null>`null`.as("last_error"),
          ])
          .where("pipeline_run.id", "=", id),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}

/** What its forge does not know yet, and could be told. */
const isUntold: Expression<SqlBool> = sql<boolean>`(commit_check.told is null or commit_check.told <> pipeline_run.status)
  and (commit_check.refused is null or commit_check.refused <> pipeline_run.status)`;

/** When the next check comes due; undefined when every forge knows all. */
export async function nextCommitCheckMs(transaction: ReadTransaction, project: string): Promise<number | undefined> {
  const row = await transaction
    .selectFrom("commit_check")
    .innerJoin("pipeline_run", "pipeline_run.id", "commit_check.pipeline_run_id")
    .select("commit_check.next_at_ms")
    .where("commit_check.project", "=", project)
    .where(isUntold)
    .orderBy("commit_check.next_at_ms")
    .limit(1)
    .executeTakeFirst();
  return row?.next_at_ms;
}

/** Takes checks that are due, oldest first, and keeps other processes from them until `claimUntilMs`. */
export async function claimCommitChecks(
  transaction: WriteTransaction,
  claim: {
    readonly project: string;
    readonly nowMs: number;
    readonly claimUntilMs: number;
    readonly limit: number;
  },
): Promise<readonly CommitCheck[]> {
  const due = await transaction
    .selectFrom("commit_check")
    .innerJoin("pipeline_run", "pipeline_run.id", "commit_check.pipeline_run_id")
    .select([
      "commit_check.pipeline_run_id",
      "commit_check.commit_id",
      "commit_check.pipeline",
      "commit_check.attempts",
    ])
    .select("pipeline_run.status")
    .where("commit_check.project", "=", claim.project)
    .where("commit_check.next_at_ms", "<=", claim.nowMs)
    .where(isUntold)
    .orderBy("commit_check.next_at_ms")
    .limit(Math.min(claim.limit, LARGEST_PAGE))
    .execute();
  const claimed: CommitCheck[] = [];
  for (const row of due) {
    const { numUpdatedRows } = await transaction
      .updateTable("commit_check")
      .set({ next_at_ms: claim.claimUntilMs })
      .where("pipeline_run_id", "=", row.pipeline_run_id)
      // Another process may have been faster.
      .where("next_at_ms", "<=", claim.nowMs)
      .executeTakeFirst();
    if (numUpdatedRows > 0n)
      claimed.push({
        pipelineRunId: row.pipeline_run_id,
        project: claim.project,
        commit: row.commit_id,
        pipeline: row.pipeline,
        status: row.status,
        attempts: row.attempts,
      });
  }
  return claimed;
}

/** Notes how the telling of one status went; `pending` is tried again. */
export async function saveCommitCheck(
  transaction: WriteTransaction,
  told: {
    readonly pipelineRunId: string;
    readonly status: PipelineRunStatus;
    readonly state: "pending" | "delivered" | "failed";
    readonly attempts: number;
    readonly nextAtMs: number;
    readonly lastError: string | undefined;
  },
): Promise<void> {
  await transaction
    .updateTable("commit_check")
    .set({
      ...(told.state === "delivered" ? { told: told.status, refused: null } : {}),
      ...(told.state === "failed" ? { refused: told.status } : {}),
      // The next status begins anew.
      attempts: told.state === "pending" ? told.attempts : 0,
      next_at_ms: told.nextAtMs,
      last_error: told.lastError ?? null,
    })
    .where("pipeline_run_id", "=", told.pipelineRunId)
    .execute();
}

/** The pipeline runs of a pull request, oldest first, and what its forge was told of each. */
export async function listChecksOf(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pullRequest: number },
): Promise<
  readonly {
    readonly pipelineRunId: string;
    readonly pipeline: string;
    readonly status: PipelineRunStatus;
    readonly told: string | undefined;
    readonly lastError: string | undefined;
  }[]
> {
  const rows = await transaction
    .selectFrom("commit_check")
    .innerJoin("pipeline_run", "pipeline_run.id", "commit_check.pipeline_run_id")
    .select(["pipeline_run.id", "pipeline_run.pipeline", "pipeline_run.status"])
    .select(["commit_check.told", "commit_check.last_error"])
    .where("commit_check.project", "=", of.project)
    .where("commit_check.pull_request", "=", of.pullRequest)
    .orderBy("pipeline_run.id")
    .limit(LARGEST_PAGE)
    .execute();
  return rows.map(({ id, pipeline, status, told, last_error: lastError }) => ({
    pipelineRunId: id,
    pipeline,
    status,
    told: told ?? undefined,
    lastError: lastError ?? undefined,
  }));
}
