import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { lastOfEachKey } from "../registry/key-value.ts";
import type { RunDataset, RunInfo, RunModel } from "./run.ts";

const CONTEXT_TAG = "mlflow.data.context";

/** Records what a run read. A dataset is known by (experiment, name, digest), and used once by a run. */
export async function logDatasets(
  transaction: WriteTransaction,
  run: RunInfo,
  datasets: readonly RunDataset[],
  atMs: number,
): Promise<void> {
  for (const [index, dataset] of datasets.entries()) {
    const number = await datasetNumber(transaction, run.experimentId, dataset);
    const sequence = atMs * 1000 + index;
    const context = dataset.tags.find((tag) => tag.key === CONTEXT_TAG)?.value ?? null;
    const added = await transaction
      .insertInto("run_dataset")
      .values({ run: run.number, dataset: number, context, sequence })
      .onConflict((conflict) => conflict.doNothing())
      .returning("dataset")
      .execute();
    if (added.length === 0) continue;
    for (const [position, tag] of lastOfEachKey(dataset.tags).entries()) {
      await transaction
        .insertInto("run_dataset_tag")
        .values({ run: run.number, dataset: number, key: tag.key, value: tag.value, sequence: position })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
  }
}

async function datasetNumber(
  transaction: WriteTransaction,
  experimentId: number,
  dataset: RunDataset,
): Promise<number> {
  const inserted = await transaction
    .insertInto("dataset")
    .values({
      experiment_id: experimentId,
      name: dataset.name,
      digest: dataset.digest,
      source_type: dataset.sourceType,
      source: dataset.source,
      schema: dataset.schema ?? null,
      profile: dataset.profile ?? null,
    })
    .onConflict((conflict) => conflict.columns(["experiment_id", "name", "digest"]).doNothing())
    .returning("number")
    .executeTakeFirst();
  if (inserted !== undefined) return inserted.number;
  const { number } = await transaction
    .selectFrom("dataset")
    .select("number")
    .where("experiment_id", "=", experimentId)
    .where("name", "=", dataset.name)
    .where("digest", "=", dataset.digest)
    .executeTakeFirstOrThrow();
  return number;
}

/** Records models that a run read or made; a model counts once per run and direction. */
export async function logRunModels(
  transaction: WriteTransaction,
  facts: {
    readonly run: number;
    readonly direction: "input" | "output";
    readonly models: readonly RunModel[];
    readonly atMs: number;
  },
): Promise<void> {
  const { run, direction, models, atMs } = facts;
  for (const [index, { modelId, step }] of models.entries()) {
    await transaction
      .insertInto("run_model")
      .values({ run, direction, model_id: modelId, step, sequence: atMs * 1000 + index })
      .onConflict((conflict) => conflict.columns(["run", "direction", "model_id"]).doNothing())
      .execute();
  }
}

export interface DatasetSummary {
  readonly experimentId: number;
  readonly name: string;
  readonly digest: string;
  readonly context: string | undefined;
}

/** Datasets that runs of these experiments used, with the context of use; at most `limit`. */
export async function summarizeDatasets(
  transaction: ReadTransaction,
  query: { readonly experimentIds: readonly number[]; readonly limit: number },
): Promise<readonly DatasetSummary[]> {
  const rows = await transaction
    .selectFrom("dataset")
    .innerJoin("run_dataset", "run_dataset.dataset", "dataset.number")
    .select(["dataset.experiment_id", "dataset.name", "dataset.digest", "run_dataset.context"])
    .distinct()
    .where("dataset.experiment_id", "in", query.experimentIds)
    .orderBy("dataset.experiment_id")
    .orderBy("dataset.name")
    .orderBy("dataset.digest")
    .orderBy(sql`run_dataset.context`)
    .limit(query.limit)
    .execute();
  return rows.map((row) => ({
    experimentId: row.experiment_id,
    name: row.name,
    digest: row.digest,
    context: row.context ?? undefined,
  }));
}
