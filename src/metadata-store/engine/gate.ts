import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { databaseNow } from "./database-time.ts";
import { lockPipelineRun, propagateEnd } from "./end-step-run.ts";
import { settlePipelineRun } from "./settle-pipeline-run.ts";

export interface GateChange {
  readonly project: string;
  readonly key: string;
  readonly state: "open" | "refused";
  readonly reason: string;
  readonly atMs: number;
  readonly actor: string;
}

/** Opens or refuses a gate. Step runs that wait for it are queued again, or fail with the reason. Returns their ids. */
export async function changeGate(transaction: WriteTransaction, gate: GateChange): Promise<readonly string[]> {
  const facts = {
    state: gate.state,
    reason: gate.reason,
    changed_at_ms: await databaseNow(transaction),
    actor: gate.actor,
  };
  await transaction
    .insertInto("gate")
    .values({ project: gate.project, key: gate.key, ...facts })
    .onConflict((conflict) => conflict.columns(["project", "key"]).doUpdateSet(facts))
    .execute();
  const waiting = await transaction
    .selectFrom("step_run")
    .select(["id", "pipeline_run_id", "step"])
    .where("project", "=", gate.project)
    .where("gate_key", "=", gate.key)
    .where("status", "=", "waiting")
    .execute();
  for (const stepRun of waiting) {
    const run = await lockPipelineRun(transaction, stepRun.pipeline_run_id);
    if (run === undefined) continue;
    if (gate.state === "open") {
      await transaction
        .updateTable("step_run")
        .set({ status: "queued", queued_at_ms: gate.atMs, ready_at_ms: facts.changed_at_ms, reason: null })
        .where("id", "=", stepRun.id)
        .where("status", "=", "waiting")
        .execute();
    } else {
      const error = JSON.stringify({
        code: "PIPELINE_GATE_REFUSED",
        message: `The gate was refused by ${gate.actor}: ${gate.reason}`,
        kind: "terminal",
      });
      await transaction
        .updateTable("step_run")
        .set({ status: "failed", error, reason: gate.reason, finished_at_ms: gate.atMs })
        .where("id", "=", stepRun.id)
        .where("status", "=", "waiting")
        .execute();
      await propagateEnd(transaction, {
        pipelineRunId: run.id,
        step: stepRun.step,
        end: "failed",
        reason: gate.reason,
        atMs: gate.atMs,
      });
    }
    await appendEvent(transaction, {
      atMs: gate.atMs,
      project: gate.project,
      type: gate.state === "open" ? "step_run.queued" : "step_run.failed",
      subjectKind: "step_run",
      subject: stepRun.id,
      actor: gate.actor,
      data: { pipeline: run.pipeline, step: stepRun.step, pipelineRunId: run.id, gate: gate.key, reason: gate.reason },
    });
    await settlePipelineRun(transaction, run, gate.atMs);
  }
  return waiting.map((row) => row.id);
}

/** What was last said of a gate; undefined when nobody has touched it. */
export async function getGate(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly key: string },
): Promise<
  | {
      readonly state: "open" | "refused";
      readonly reason: string;
      readonly changedAtMs: number;
      readonly actor: string;
    }
  | undefined
> {
  const row = await transaction
    .selectFrom("gate")
    .selectAll()
    .where("project", "=", key.project)
    .where("key", "=", key.key)
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : { state: row.state, reason: row.reason, changedAtMs: row.changed_at_ms, actor: row.actor };
}
