import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { isSqlite } from "../dialect.ts";
import type { EndpointKey } from "./endpoint.ts";

/** Where the predictions of an endpoint lie that left the database. */
export interface PredictionHistory extends EndpointKey {
  /** Of the Delta table, among the files of tables. */
  readonly folder: string;
  /** Version that is read; -1 before the first. */
  readonly deltaVersion: number;
  /** What versions up to this one hold is no longer in the database. */
  readonly clearedVersion: number;
}

const COLUMNS = ["project", "environment", "endpoint", "folder", "delta_version", "cleared_version"] as const;

interface HistoryRow {
  readonly project: string;
  readonly environment: string;
  readonly endpoint: string;
  readonly folder: string;
  readonly delta_version: number;
  readonly cleared_version: number;
}

function toHistory(row: HistoryRow): PredictionHistory {
  return {
    project: row.project,
    environment: row.environment,
    endpoint: row.endpoint,
    folder: row.folder,
    deltaVersion: Number(row.delta_version),
    clearedVersion: Number(row.cleared_version),
  };
}

/** Undefined while nothing of the endpoint left the database. */
export async function getPredictionHistory(
  transaction: ReadTransaction,
  key: EndpointKey,
): Promise<PredictionHistory | undefined> {
  return readHistory(transaction, key, { isHeld: false });
}

/** The same; until the transaction ends nobody labels what lies there, and it does not grow. */
export async function holdPredictionHistory(
  transaction: WriteTransaction,
  key: EndpointKey,
): Promise<PredictionHistory | undefined> {
  return readHistory(transaction, key, { isHeld: !isSqlite(transaction) });
}

async function readHistory(
  transaction: ReadTransaction,
  key: EndpointKey,
  { isHeld }: { readonly isHeld: boolean },
): Promise<PredictionHistory | undefined> {
  const row = await transaction
    .selectFrom("prediction_history")
    .select(COLUMNS)
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("delta_version", ">=", 0)
    .$if(isHeld, (select) => select.forUpdate())
    .executeTakeFirst();
  return row === undefined ? undefined : toHistory(row);
}

/** Of all endpoints of a project, or of all there are. */
export async function listPredictionHistories(
  transaction: ReadTransaction,
  of: { readonly project?: string | undefined } = {},
): Promise<readonly PredictionHistory[]> {
  let select = transaction.selectFrom("prediction_history").select(COLUMNS);
  if (of.project !== undefined) select = select.where("project", "=", of.project);
  const rows = await select.orderBy("project").orderBy("environment").orderBy("endpoint").execute();
  return rows.map(toHistory);
}

/** Endpoints of a project that were ever asked to predict. */
export async function listPredictingEndpoints(
  transaction: ReadTransaction,
  project: string,
): Promise<readonly EndpointKey[]> {
  return transaction
    .selectFrom("prediction_total")
    .select(["project", "environment", "endpoint"])
    .distinct()
    .where("project", "=", project)
    .orderBy("environment")
    .orderBy("endpoint")
    .execute();
}

/**
 * Takes the right to move rows of an endpoint, or keeps it. It spares work: that no row is moved twice follows from the
 * versions of the table.
 *
 * @returns undefined while somebody else has it
 */
export async function claimPredictionHistory(
  transaction: WriteTransaction,
  claim: EndpointKey & {
    readonly folder: string;
    readonly holder: string;
    readonly nowMs: number;
    readonly untilMs: number;
  },
): Promise<PredictionHistory | undefined> {
  const { project, environment, endpoint, folder, holder, nowMs, untilMs } = claim;
  await transaction
    .insertInto("prediction_history")
    .values({
      project,
      environment,
      endpoint,
      folder,
      delta_version: -1,
      cleared_version: -1,
      holder: null,
      held_until_ms: 0,
    })
    .onConflict((conflict) => conflict.columns(["project", "environment", "endpoint"]).doNothing())
    .execute();
  const row = await transaction
    .updateTable("prediction_history")
    .set({ holder, held_until_ms: untilMs })
    .where("project", "=", project)
    .where("environment", "=", environment)
    .where("endpoint", "=", endpoint)
    .where((where) => where.or([where("holder", "=", holder), where("held_until_ms", "<=", nowMs)]))
    .returning(COLUMNS)
    .executeTakeFirst();
  return row === undefined ? undefined : toHistory(row);
}

/** Lets others move rows. */
export async function releasePredictionHistory(
  transaction: WriteTransaction,
  { project, environment, endpoint, holder }: EndpointKey & { readonly holder: string },
): Promise<void> {
  await transaction
    .updateTable("prediction_history")
    .set({ holder: null, held_until_ms: 0 })
    .where("project", "=", project)
    .where("environment", "=", environment)
    .where("endpoint", "=", endpoint)
    .where("holder", "=", holder)
    .execute();
}

/** Readers read this version from now on. Never goes back. */
export async function showPredictionHistory(
  transaction: WriteTransaction,
  { project, environment, endpoint, deltaVersion }: EndpointKey & { readonly deltaVersion: number },
): Promise<void> {
  await transaction
    .updateTable("prediction_history")
    .set({ delta_version: deltaVersion })
    .where("project", "=", project)
    .where("environment", "=", environment)
    .where("endpoint", "=", endpoint)
    .where("delta_version", "<", deltaVersion)
    .execute();
}

/** Notes that nothing that a version holds is in the database any more. */
export async function noteClearedHistory(
  transaction: WriteTransaction,
  { project, environment, endpoint, clearedVersion }: EndpointKey & { readonly clearedVersion: number },
): Promise<void> {
  await transaction
    .updateTable("prediction_history")
    .set({ cleared_version: clearedVersion })
    .where("project", "=", project)
    .where("environment", "=", environment)
    .where("endpoint", "=", endpoint)
    .where("cleared_version", "<", clearedVersion)
    .execute();
}
