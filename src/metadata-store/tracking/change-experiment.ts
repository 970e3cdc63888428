import type { WriteTransaction } from "../database.ts";
import { appendEvent, type EventsOf } from "../event/append-event.ts";
import { type KeyValue, lastOfEachKey } from "../registry/key-value.ts";
import type { LifecycleStage } from "./tables.ts";

export interface NewExperiment {
  readonly project: string;
  readonly name: string;
  /** Given the new id, where its artifacts go. */
  readonly artifactLocation: (experimentId: number) => string;
  readonly tags: readonly KeyValue[];
  readonly atMs: number;
  readonly actor: string;
}

/** Creates an experiment; undefined when the name is taken, also by a deleted one. */
export async function createExperiment(
  transaction: WriteTransaction,
  facts: NewExperiment,
): Promise<number | undefined> {
  // Asked first, because an insertion that meets a conflict uses up a number.
  const taken = await transaction
    .selectFrom("experiment")
    .select("experiment_id")
    .where("name", "=", facts.name)
    .executeTakeFirst();
  if (taken !== undefined) return undefined;
  const row = await transaction
    .insertInto("experiment")
    .values({
      project: facts.project,
      name: facts.name,
      artifact_location: null,
      lifecycle_stage: "active",
      creation_time: facts.atMs,
      last_update_time: facts.atMs,
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returning("experiment_id")
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const experimentId = row.experiment_id;
  await transaction
    .updateTable("experiment")
    .set({ artifact_location: facts.artifactLocation(experimentId) })
    .where("experiment_id", "=", experimentId)
    .execute();
  for (const [index, tag] of lastOfEachKey(facts.tags).entries()) {
    await setExperimentTag(transaction, { experimentId, ...tag, sequence: facts.atMs * 1000 + index });
  }
  await appendExperimentEvent(transaction, { ...facts, experimentId }, { type: "experiment.created" });
  return experimentId;
}

export interface ExperimentChange {
  readonly experimentId: number;
  readonly project: string;
  readonly atMs: number;
  readonly actor: string;
}

/** Renames; false when the name is taken. */
export async function renameExperiment(
  transaction: WriteTransaction,
  change: ExperimentChange & { readonly name: string },
): Promise<boolean> {
  const taken = await transaction
    .selectFrom("experiment")
    .select("experiment_id")
    .where("name", "=", change.name)
    .where("experiment_id", "!=", change.experimentId)
    .executeTakeFirst();
  if (taken !== undefined) return false;
  await transaction
    .updateTable("experiment")
    .set({ name: change.name, last_update_time: change.atMs })
    .where("experiment_id", "=", change.experimentId)
    .execute();
  await appendExperimentEvent(transaction, change, { type: "experiment.renamed", data: { name: change.name } });
  return true;
}

/** Deletes or restores an experiment together with all its runs, also those that were deleted alone. */
export async function setExperimentStage(
  transaction: WriteTransaction,
  change: ExperimentChange & { readonly stage: LifecycleStage },
): Promise<void> {
  await transaction
    .updateTable("experiment")
    .set({ lifecycle_stage: change.stage, last_update_time: change.atMs })
    .where("experiment_id", "=", change.experimentId)
    .execute();
  await transaction
    .updateTable("run")
    .set({ lifecycle_stage: change.stage })
    .where("experiment_id", "=", change.experimentId)
    .execute();
  await appendExperimentEvent(transaction, change, {
    type: change.stage === "deleted" ? "experiment.deleted" : "experiment.restored",
  });
}

/** Sets a tag; an existing one keeps its place. */
export async function setExperimentTag(
  transaction: WriteTransaction,
  tag: { readonly experimentId: number; readonly key: string; readonly value: string; readonly sequence: number },
): Promise<void> {
  await transaction
    .insertInto("experiment_tag")
    .values({ experiment_id: tag.experimentId, key: tag.key, value: tag.value, sequence: tag.sequence })
    .onConflict((conflict) => conflict.columns(["experiment_id", "key"]).doUpdateSet({ value: tag.value }))
    .execute();
}

/** Removes a tag; false when there is none. */
export async function deleteExperimentTag(
  transaction: WriteTransaction,
  tag: { readonly experimentId: number; readonly key: string },
): Promise<boolean> {
  const gone = await transaction
    .deleteFrom("experiment_tag")
    .where("experiment_id", "=", tag.experimentId)
    .where("key", "=", tag.key)
    .returning("key")
    .execute();
  return gone.length > 0;
}

async function appendExperimentEvent(
  transaction: WriteTransaction,
  { atMs, project, actor, experimentId }: ExperimentChange,
  event: EventsOf<"experiment">,
): Promise<void> {
  await appendEvent(transaction, {
    atMs,
    project,
    actor,
    subjectKind: "experiment",
    subject: String(experimentId),
    ...event,
  });
}
