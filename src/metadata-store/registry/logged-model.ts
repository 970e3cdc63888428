import type { Selectable } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { loggedModelMissing } from "./errors.ts";
import { chunksOf, groupPairs, type KeyValue } from "./key-value.ts";
import type { LoggedModelStatus, RegistryTables } from "./tables.ts";

/** A model as MLflow 3 logs it, before and beside its registration. */
export interface LoggedModel {
  /** `m-` and 32 hexadecimal digits. */
  readonly id: string;
  readonly experimentId: string;
  readonly name: string;
  readonly artifactUri: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly status: LoggedModelStatus;
  readonly modelType: string | undefined;
  readonly sourceRunId: string | undefined;
  readonly deleted: boolean;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly metrics: readonly LoggedModelMetric[];
}

/** One point of a metric of a logged model. */
export interface LoggedModelMetric {
  readonly key: string;
  /** May be NaN. */
  readonly value: number;
  /** Epoch milliseconds. */
  readonly timestampMs: number | bigint;
  readonly step: number | bigint;
  readonly runId: string;
  readonly datasetName: string | undefined;
  readonly datasetDigest: string | undefined;
}

export type LoggedModelRow = Selectable<RegistryTables["logged_model"]>;

/** @throws METADATA_STORE_LOGGED_MODEL_MISSING, also for deleted ones unless `withDeleted` */
export async function findLoggedModel(
  transaction: ReadTransaction,
  id: string,
  withDeleted = false,
): Promise<LoggedModelRow> {
  const row = await transaction.selectFrom("logged_model").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined || (row.deleted === 1 && !withDeleted)) throw loggedModelMissing({ id });
  return row;
}

/** Adds params, tags and metrics to rows: three statements per 5,000. */
export async function hydrateLoggedModels(
  transaction: ReadTransaction,
  rows: readonly LoggedModelRow[],
): Promise<readonly LoggedModel[]> {
  const params: { owner: string; key: string; value: string }[] = [];
  const tags: { owner: string; key: string; value: string }[] = [];
  const metrics = new Map<string, LoggedModelMetric[]>();
  for (const ids of chunksOf(rows.map((row) => row.id))) {
    for (const [table, found] of [["logged_model_param", params] as const, ["logged_model_tag", tags] as const]) {
      found.push(
        ...(await transaction
          .selectFrom(table)
          .select(["logged_model_id as owner", "key", "value"])
          .where("logged_model_id", "in", ids)
          .orderBy("key")
          .execute()),
      );
    }
    for (const metric of await transaction
      .selectFrom("logged_model_metric")
      .selectAll()
      .where("logged_model_id", "in", ids)
      .orderBy("key")
      .orderBy("timestamp_ms")
      .orderBy("step")
      .execute()) {
      const group = metrics.get(metric.logged_model_id) ?? [];
      if (group.length === 0) metrics.set(metric.logged_model_id, group);
      group.push(toMetric(metric));
    }
  }
  const [paramsOf, tagsOf] = [groupPairs(params), groupPairs(tags)];
  return rows.map((row) => ({
    id: row.id,
    experimentId: row.experiment_id,
    name: row.name,
    artifactUri: row.artifact_uri,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    status: row.status,
    modelType: row.model_type ?? undefined,
    sourceRunId: row.source_run_id ?? undefined,
    deleted: row.deleted === 1,
    params: paramsOf.get(row.id) ?? [],
    tags: tagsOf.get(row.id) ?? [],
    metrics: metrics.get(row.id) ?? [],
  }));
}

function toMetric(row: Selectable<RegistryTables["logged_model_metric"]>): LoggedModelMetric {
  return {
    key: row.key,
    value: row.is_nan === 1 ? NaN : row.value,
    timestampMs: row.timestamp_ms,
    step: row.step,
    runId: row.run_id,
    datasetName: row.dataset_name === "" ? undefined : row.dataset_name,
    datasetDigest: row.dataset_digest === "" ? undefined : row.dataset_digest,
  };
}
