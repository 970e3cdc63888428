import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { databaseNow } from "./database-time.ts";

/** Whose token it is: facts of a running attempt. */
export interface AttemptCredential {
  /** sha256 of the token, hexadecimal. */
  readonly tokenHash: string;
  readonly project: string;
  readonly pipelineRunId: string;
  /** Who started the pipeline run. */
  readonly actor: string;
  /**
   * False once the attempt has ended, its lease has run out, or another attempt of its step run holds a newer fencing
   * token.
   */
  readonly current: boolean;
}

/** Binds a token to an attempt and its fencing token; false when that is no longer current. */
export async function setAttemptTokenHash(
  transaction: WriteTransaction,
  facts: { readonly attemptId: string; readonly token: number; readonly tokenHash: string },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("attempt")
    .set({ token_hash: facts.tokenHash })
    .where("id", "=", facts.attemptId)
    .where("token", "=", facts.token)
    .where("status", "=", "running")
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Which steps attempts are of. */
export async function listAttemptSteps(
  transaction: ReadTransaction,
  attemptIds: readonly string[],
): Promise<readonly { readonly attemptId: string; readonly pipeline: string; readonly step: string }[]> {
  return transaction
    .selectFrom("attempt")
    .innerJoin("step_run", "step_run.id", "attempt.step_run_id")
    .select(["attempt.id as attemptId", "step_run.pipeline as pipeline", "step_run.step as step"])
    .where("attempt.id", "in", [...attemptIds])
    .orderBy("attempt.id")
    .execute();
}

/** Undefined for an unknown attempt, and for one without a token. */
export async function getAttemptCredential(
  transaction: ReadTransaction,
  attemptId: string,
): Promise<AttemptCredential | undefined> {
  const row = await transaction
    .selectFrom("attempt")
    .innerJoin("step_run", "step_run.id", "attempt.step_run_id")
    .innerJoin("pipeline_run", "pipeline_run.id", "attempt.pipeline_run_id")
    .select([
      "attempt.token_hash as token_hash",
      "attempt.project as project",
      "attempt.pipeline_run_id as pipeline_run_id",
      "attempt.status as status",
      "attempt.token as token",
      "attempt.lease_expires_at_ms as lease_expires_at_ms",
      "step_run.token as newest_token",
      "pipeline_run.actor as actor",
    ])
    .where("attempt.id", "=", attemptId)
    .executeTakeFirst();
  if (row === undefined || row.token_hash === null) return undefined;
  const current =
    row.status === "running" &&
    row.token === row.newest_token &&
    row.lease_expires_at_ms > (await databaseNow(transaction));
  return {
    tokenHash: row.token_hash,
    project: row.project,
    pipelineRunId: row.pipeline_run_id,
    actor: row.actor,
    current,
  };
}
