import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { LARGEST_PAGE } from "../largest-page.ts";
import type { GovernanceTables } from "./tables.ts";

/** A public key with which a user signs decisions. */
export interface SigningKey {
  /** sha256 of the raw public key, 64 hexadecimal digits. */
  readonly id: string;
  readonly user: string;
  /** Raw Ed25519 key, 32 bytes in base64. */
  readonly publicKey: string;
  readonly label: string;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | undefined;
}

/** Adds a key; false when it is known already. */
export async function insertSigningKey(
  transaction: WriteTransaction,
  key: Omit<SigningKey, "revokedAtMs">,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto("signing_key")
    .values({
      id: key.id,
      user_name: key.user,
      public_key: key.publicKey,
      label: key.label,
      created_at_ms: key.createdAtMs,
      revoked_at_ms: null,
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .executeTakeFirstOrThrow();
  return Number(numInsertedOrUpdatedRows ?? 0) > 0;
}

/** @returns undefined when there is none */
export async function getSigningKey(transaction: ReadTransaction, id: string): Promise<SigningKey | undefined> {
  const row = await transaction.selectFrom("signing_key").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toKey(row);
}

/** Keys, newest first, at most 1,001; of one user when it is given. */
export async function listSigningKeys(transaction: ReadTransaction, user?: string): Promise<readonly SigningKey[]> {
  let select = transaction.selectFrom("signing_key").selectAll();
  if (user !== undefined) select = select.where("user_name", "=", user);
  return (await select.orderBy("created_at_ms", "desc").orderBy("id").limit(LARGEST_PAGE).execute()).map(toKey);
}

/** Ends a key; false when there is none or it has ended before. */
export async function markSigningKeyRevoked(
  transaction: WriteTransaction,
  { id, atMs }: { readonly id: string; readonly atMs: number },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("signing_key")
    .set({ revoked_at_ms: atMs })
    .where("id", "=", id)
    .where("revoked_at_ms", "is", null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function toKey(row: Selectable<GovernanceTables["signing_key"]>): SigningKey {
  return {
    id: row.id,
    user: row.user_name,
    publicKey: row.public_key,
    label: row.label,
    createdAtMs: row.created_at_ms,
    revokedAtMs: row.revoked_at_ms ?? undefined,
  };
}
