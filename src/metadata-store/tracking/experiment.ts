import type { Selectable } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { groupPairs, type KeyValue } from "../registry/key-value.ts";
import type { LifecycleStage, TrackingTables } from "./tables.ts";

export interface Experiment {
  readonly experimentId: number;
  readonly project: string;
  readonly name: string;
  /** Undefined: the default place below the artifact root. */
  readonly artifactLocation: string | undefined;
  readonly lifecycleStage: LifecycleStage;
  readonly creationTimeMs: number;
  readonly lastUpdateTimeMs: number;
  readonly tags: readonly KeyValue[];
}

/** Rows with their tags. */
export async function hydrateExperiments(
  transaction: ReadTransaction,
  rows: readonly Selectable<TrackingTables["experiment"]>[],
): Promise<readonly Experiment[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.experiment_id);
  const tags = await transaction
    .selectFrom("experiment_tag")
    .selectAll()
    .where("experiment_id", "in", ids)
    .orderBy("sequence")
    .orderBy("key")
    .execute();
  const tagsOf = groupPairs(
    tags.map(({ experiment_id, key, value }) => ({ owner: String(experiment_id), key, value })),
  );
  return rows.map((row) => ({
    experimentId: row.experiment_id,
    project: row.project,
    name: row.name,
    artifactLocation: row.artifact_location ?? undefined,
    lifecycleStage: row.lifecycle_stage,
    creationTimeMs: row.creation_time,
    lastUpdateTimeMs: row.last_update_time,
    tags: tagsOf.get(String(row.experiment_id)) ?? [],
  }));
}

/** An experiment by id or by name; deleted ones too. */
export async function findExperiment(
  transaction: ReadTransaction,
  key: { readonly experimentId: number } | { readonly name: string },
): Promise<Experiment | undefined> {
  const select = transaction.selectFrom("experiment").selectAll();
  const rows = await (
    "name" in key ? select.where("name", "=", key.name) : select.where("experiment_id", "=", key.experimentId)
  ).execute();
  return (await hydrateExperiments(transaction, rows))[0];
}
