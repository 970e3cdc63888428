import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { DatasetWriteState, DataTables } from "./tables.ts";

export interface DatasetWriteKey {
  readonly project: string;
  readonly asset: string;
  readonly operationId: string;
}

/** What is known of one write to a dataset. */
export interface DatasetWriteRecord extends DatasetWriteKey {
  readonly state: DatasetWriteState;
  readonly tableName: string;
  /** -1 when there was no table. */
  readonly readVersion: number;
  readonly deltaVersion: number | undefined;
  readonly digest: string | undefined;
  readonly made: object | undefined;
  readonly begunAtMs: number;
  readonly expiresAtMs: number;
}

function toRecord(row: Selectable<DataTables["dataset_write"]>): DatasetWriteRecord {
  return {
    project: row.project,
    asset: row.asset,
    operationId: row.operation_id,
    state: row.state,
    tableName: row.table_name,
    readVersion: row.read_version,
    deltaVersion: row.delta_version ?? undefined,
    digest: row.digest ?? undefined,
    made: row.made === null ? undefined : (JSON.parse(row.made) as object),
    begunAtMs: row.begun_at_ms,
    expiresAtMs: row.expires_at_ms,
  };
}

export async function getDatasetWrite(
  transaction: ReadTransaction,
  key: DatasetWriteKey,
): Promise<DatasetWriteRecord | undefined> {
  const row = await transaction
    .selectFrom("dataset_write")
    .selectAll()
    .where("project", "=", key.project)
    .where("asset", "=", key.asset)
    .where("operation_id", "=", key.operationId)
    .executeTakeFirst();
  return row === undefined ? undefined : toRecord(row);
}

/** Writes of a dataset that are neither recorded with a version nor dropped; at most 1,000. */
export async function listOpenDatasetWrites(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly asset: string },
): Promise<readonly DatasetWriteRecord[]> {
  const rows = await transaction
    .selectFrom("dataset_write")
    .selectAll()
    .where("project", "=", of.project)
    .where("asset", "=", of.asset)
    .where("state", "in", ["begun", "committed"])
    .orderBy("begun_at_ms")
    .limit(1000)
    .execute();
  return rows.map(toRecord);
}

/** Makes other transactions that lock the same dataset wait for the end of this one. */
export async function lockDataset(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly asset: string; readonly atMs: number },
): Promise<void> {
  await transaction
    .insertInto("dataset_lock")
    .values({ project: of.project, asset: of.asset, locked_at_ms: of.atMs })
    .onConflict((conflict) => conflict.columns(["project", "asset"]).doUpdateSet({ locked_at_ms: of.atMs }))
    .execute();
}

/** Announces a write, or takes over the announcement of an earlier attempt at the same operation. */
export async function beginDatasetWrite(
  transaction: WriteTransaction,
  write: DatasetWriteKey & {
    readonly tableName: string;
    readonly readVersion: number;
    readonly atMs: number;
    readonly expiresAtMs: number;
  },
): Promise<void> {
  const values = {
    project: write.project,
    asset: write.asset,
    operation_id: write.operationId,
    state: "begun" as const,
    table_name: write.tableName,
    read_version: write.readVersion,
    delta_version: null,
    digest: null,
    made: null,
    begun_at_ms: write.atMs,
    expires_at_ms: write.expiresAtMs,
  };
  await transaction
    .insertInto("dataset_write")
    .values(values)
    .onConflict((conflict) =>
      conflict.columns(["project", "asset", "operation_id"]).doUpdateSet({
        state: "begun",
        read_version: values.read_version,
        delta_version: null,
        digest: null,
        made: null,
        expires_at_ms: values.expires_at_ms,
      }),
    )
    .execute();
}

/** The log entry exists. */
export async function commitDatasetWrite(
  transaction: WriteTransaction,
  write: DatasetWriteKey & {
    readonly deltaVersion: number;
    readonly digest: string;
    readonly made: object;
    readonly expiresAtMs: number;
  },
): Promise<void> {
  await transaction
    .updateTable("dataset_write")
    .set({
      state: "committed",
      delta_version: write.deltaVersion,
      digest: write.digest,
      made: JSON.stringify(write.made),
      expires_at_ms: write.expiresAtMs,
    })
    .where("project", "=", write.project)
    .where("asset", "=", write.asset)
    .where("operation_id", "=", write.operationId)
    .execute();
}

/** Says that the writer is still alive. */
export async function extendDatasetWrite(
  transaction: WriteTransaction,
  write: DatasetWriteKey & { readonly expiresAtMs: number },
): Promise<void> {
  await transaction
    .updateTable("dataset_write")
    .set({ expires_at_ms: write.expiresAtMs })
    .where("project", "=", write.project)
    .where("asset", "=", write.asset)
    .where("operation_id", "=", write.operationId)
    .where("state", "in", ["begun", "committed"])
    .execute();
}

/** @returns false when the write is not in a state that can change to `state` */
export async function endDatasetWrite(
  transaction: WriteTransaction,
  write: DatasetWriteKey & { readonly state: "settled" | "dropped" },
): Promise<boolean> {
  const from: DatasetWriteState[] =
    write.state === "settled" ? ["committed", "settled"] : ["begun", "committed", "dropped"];
  const { numUpdatedRows } = await transaction
    .updateTable("dataset_write")
    .set({ state: write.state })
    .where("project", "=", write.project)
    .where("asset", "=", write.asset)
    .where("operation_id", "=", write.operationId)
    .where("state", "in", from)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
