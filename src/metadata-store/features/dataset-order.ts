import type { ReadTransaction, WriteTransaction } from "../database.ts";

/**
 * Whether a version's rows are known to be unique on the keys and time that `orderDigest` stands for; undefined: not
 * yet found out.
 */
export async function getDatasetOrder(
  transaction: ReadTransaction,
  key: { readonly versionId: string; readonly orderDigest: string },
): Promise<boolean | undefined> {
  const row = await transaction
    .selectFrom("dataset_order")
    .select("is_unique")
    .where("version_id", "=", key.versionId)
    .where("order_digest", "=", key.orderDigest)
    .executeTakeFirst();
  return row === undefined ? undefined : row.is_unique === 1;
}

/** Remembers what was found out; a version never changes, so the first answer stays. */
export async function recordDatasetOrder(
  transaction: WriteTransaction,
  fact: { readonly versionId: string; readonly orderDigest: string; readonly unique: boolean },
): Promise<void> {
  await transaction
    .insertInto("dataset_order")
    .values({ version_id: fact.versionId, order_digest: fact.orderDigest, is_unique: fact.unique ? 1 : 0 })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
