import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** A token without its secret. */
export interface StoredToken {
  readonly id: string;
  readonly user: string;
  readonly label: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly lastUsedAtMs: number | undefined;
  readonly revokedAtMs: number | undefined;
  /** The one action that it allows; undefined: all that its owner may do. */
  readonly only: string | undefined;
}

/** Adds a token; only the sha256 of its secret is kept. */
export async function insertToken(
  transaction: WriteTransaction,
  token: Pick<StoredToken, "id" | "user" | "label" | "createdAtMs" | "expiresAtMs" | "only"> & {
    readonly secretHash: string;
  },
): Promise<void> {
  await transaction
    .insertInto("access_token")
    .values({
      id: token.id,
      user_name: token.user,
      label: token.label,
      secret_hash: token.secretHash,
      created_at_ms: token.createdAtMs,
      expires_at_ms: token.expiresAtMs ?? null,
      last_used_at_ms: null,
      revoked_at_ms: null,
      only_action: token.only ?? null,
    })
    .execute();
}

/** A token with the hash of its secret; undefined when there is none. */
export async function getToken(
  transaction: ReadTransaction,
  id: string,
): Promise<(StoredToken & { readonly secretHash: string }) | undefined> {
  const row = await transaction.selectFrom("access_token").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : { ...toToken(row), secretHash: row.secret_hash };
}

/** Tokens of one user, or of all, newest first, at most 1,000. */
export async function listTokens(transaction: ReadTransaction, user?: string): Promise<readonly StoredToken[]> {
  let select = transaction.selectFrom("access_token").selectAll();
  if (user !== undefined) select = select.where("user_name", "=", user);
  const rows = await select.orderBy("id", "desc").limit(1000).execute();
  return rows.map(toToken);
}

/** Notes the last use; coarse on purpose, callers do it once a minute. */
export async function touchToken(transaction: WriteTransaction, id: string, atMs: number): Promise<void> {
  await transaction.updateTable("access_token").set({ last_used_at_ms: atMs }).where("id", "=", id).execute();
}

/** Ends a token; false when there is none or it has ended before. */
export async function revokeToken(transaction: WriteTransaction, id: string, atMs: number): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("access_token")
    .set({ revoked_at_ms: atMs })
    .where("id", "=", id)
    .where("revoked_at_ms", "is", null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function toToken(row: {
  id: string;
  user_name: string;
  label: string;
  created_at_ms: number;
  expires_at_ms: number | null;
  last_used_at_ms: number | null;
  revoked_at_ms: number | null;
  only_action: string | null;
}): StoredToken {
  return {
    id: row.id,
    user: row.user_name,
    label: row.label,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms ?? undefined,
    lastUsedAtMs: row.last_used_at_ms ?? undefined,
    revokedAtMs: row.revoked_at_ms ?? undefined,
    only: row.only_action ?? undefined,
  };
}
