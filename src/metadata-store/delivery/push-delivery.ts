import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { DeliveryTables } from "./tables.ts";

/**
 * A push that was announced, or a call of a webhook (its name is the branch, there is no commit), and what was
 * answered.
 */
export interface PushDelivery {
  readonly project: string;
  /** The sender's id of the announcement: the same id is the same push. */
  readonly id: string;
  readonly branch: string;
  readonly commit: string;
  readonly pusher: string;
  readonly atMs: number;
  readonly answer: object;
}

/** Notes a push; false when this delivery was noted before. */
export async function insertPushDelivery(transaction: WriteTransaction, push: PushDelivery): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto("push_delivery")
    .values({
      project: push.project,
      id: push.id,
      branch: push.branch,
      commit_id: push.commit,
      pusher: push.pusher,
      at_ms: push.atMs,
      answer: JSON.stringify(push.answer),
    })
    .onConflict((conflict) => conflict.columns(["project", "id"]).doNothing())
    .executeTakeFirstOrThrow();
  return Number(numInsertedOrUpdatedRows ?? 0) > 0;
}

/** @returns undefined when this delivery was never noted */
export async function getPushDelivery(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly id: string },
): Promise<PushDelivery | undefined> {
  const row = await transaction
    .selectFrom("push_delivery")
    .selectAll()
    .where("project", "=", key.project)
    .where("id", "=", key.id)
    .executeTakeFirst();
  return row === undefined ? undefined : toPushDelivery(row);
}

/** The push of a branch that was noted last; undefined when none was. */
export async function getLatestPush(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly branch: string },
): Promise<PushDelivery | undefined> {
  const row = await transaction
    .selectFrom("push_delivery")
    .selectAll()
    .where("project", "=", of.project)
    .where("branch", "=", of.branch)
    .where("commit_id", "!=", "")
    .orderBy("at_ms", "desc")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toPushDelivery(row);
}

function toPushDelivery(row: Selectable<DeliveryTables["push_delivery"]>): PushDelivery {
  return {
    project: row.project,
    id: row.id,
    branch: row.branch,
    commit: row.commit_id,
    pusher: row.pusher,
    atMs: row.at_ms,
    answer: JSON.parse(row.answer) as object,
  };
}
