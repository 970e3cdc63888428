import { sql } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import type { Purgeable } from "./purgeable.ts";

interface PurgeFacts {
  readonly subject: Purgeable;
  readonly project: string;
  readonly atMs: number;
  readonly actor: string;
}

const RUN_TABLES = [
  "run_tag",
  "run_param",
  "run_metric",
  "run_latest_metric",
  "run_dataset_tag",
  "run_dataset",
  "run_model",
] as const;
const LOGGED_MODEL_TABLES = ["logged_model_tag", "logged_model_param", "logged_model_metric"] as const;

/**
 * Removes a deleted run for good; event `run.purged`, which keeps where its files are.
 *
 * @returns false when it was restored, is used by a registered model, or is gone: then nothing is removed
 */
export async function purgeRun(transaction: WriteTransaction, facts: PurgeFacts): Promise<boolean> {
  const { id } = facts.subject;
  const run = await transaction
    .selectFrom("run")
    .select("number")
    .where("run_id", "=", id)
    .where("lifecycle_stage", "=", "deleted")
    .executeTakeFirst();
  if (run === undefined) return false;
  const used = await transaction
    .selectFrom("model_version")
    .select("id")
    .where("run_id", "=", id)
    .limit(1)
    .executeTakeFirst();
  if (used !== undefined) return false;
  for (const table of RUN_TABLES)
    await sql`delete from ${sql.table(table)} where run = ${run.number}`.execute(transaction);
  await transaction.deleteFrom("run").where("number", "=", run.number).execute();
  await append(transaction, facts, "run");
  return true;
}

/** As {@link purgeRun}, for a logged model; event `logged_model.purged`. */
export async function purgeLoggedModel(transaction: WriteTransaction, facts: PurgeFacts): Promise<boolean> {
  const { id, artifactUri } = facts.subject;
  const model = await transaction
    .selectFrom("logged_model")
    .select("id")
    .where("id", "=", id)
    .where("deleted", "=", 1)
    .executeTakeFirst();
  if (model === undefined) return false;
  const used = await transaction
    .selectFrom("model_version")
    .select("id")
    .where((where) => where.or([where("logged_model_id", "=", id), where("storage_location", "=", artifactUri)]))
    .limit(1)
    .executeTakeFirst();
  if (used !== undefined) return false;
  for (const table of LOGGED_MODEL_TABLES)
    await sql`delete from ${sql.table(table)} where logged_model_id = ${id}`.execute(transaction);
  await transaction.deleteFrom("logged_model").where("id", "=", id).execute();
  await append(transaction, facts, "logged_model");
  return true;
}

/**
 * As {@link purgeRun}, for an experiment in which nothing is left; event `experiment.purged`. Its name is free again.
 */
export async function purgeExperiment(transaction: WriteTransaction, facts: PurgeFacts): Promise<boolean> {
  const id = Number(facts.subject.id);
  const experiment = await transaction
    .selectFrom("experiment")
    .select("experiment_id")
    .where("experiment_id", "=", id)
    .where("lifecycle_stage", "=", "deleted")
    .executeTakeFirst();
  if (experiment === undefined || id === 0) return false;
  const run = await transaction
    .selectFrom("run")
    .select("run_id")
    .where("experiment_id", "=", id)
    .limit(1)
    .executeTakeFirst();
  const model = await transaction
    .selectFrom("logged_model")
    .select("id")
    .where("experiment_id", "=", String(id))
    .limit(1)
    .executeTakeFirst();
  if (run !== undefined || model !== undefined) return false;
  await transaction.deleteFrom("dataset").where("experiment_id", "=", id).execute();
  await transaction.deleteFrom("experiment_tag").where("experiment_id", "=", id).execute();
  await transaction.deleteFrom("experiment").where("experiment_id", "=", id).execute();
  await append(transaction, facts, "experiment");
  return true;
}

async function append(
  transaction: WriteTransaction,
  { subject, ...facts }: PurgeFacts,
  kind: "run" | "logged_model" | "experiment",
): Promise<void> {
  const { name, artifactUri, deletedAtMs } = subject;
  await appendEvent(transaction, {
    ...facts,
    type: `${kind}.purged`,
    subjectKind: kind,
    subject: subject.id,
    data: { name, artifactUri, deletedAtMs },
  });
}
