import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** A person or a service account, with its roles by project. */
export interface StoredUser {
  readonly name: string;
  readonly kind: "person" | "service";
  readonly owner: string | undefined;
  readonly emails: readonly string[];
  readonly createdAtMs: number;
  /** Project (`*`: every project) and role. */
  readonly grants: readonly { readonly project: string; readonly role: string }[];
}

/** True when any user exists: access is set up. */
export async function hasUsers(transaction: ReadTransaction): Promise<boolean> {
  return (await transaction.selectFrom("access_user").select("name").limit(1).executeTakeFirst()) !== undefined;
}

/** @returns undefined when there is none */
export async function getUser(transaction: ReadTransaction, name: string): Promise<StoredUser | undefined> {
  const [user] = await readUsers(transaction, [name]);
  return user;
}

/** Users by name. `after` is the last name of the page before. */
export async function listUsers(
  transaction: ReadTransaction,
  query: { readonly after?: string; readonly limit?: number } = {},
): Promise<readonly StoredUser[]> {
  let select = transaction.selectFrom("access_user").select("name");
  if (query.after !== undefined) select = select.where("name", ">", query.after);
  const names = await select
    .orderBy("name")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return names.length === 0
    ? []
    : readUsers(
        transaction,
        names.map(({ name }) => name),
      );
}

/** Adds a user; false when the name is taken. */
export async function insertUser(
  transaction: WriteTransaction,
  user: Pick<StoredUser, "name" | "kind" | "owner" | "emails" | "createdAtMs">,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto("access_user")
    .values({
      name: user.name,
      kind: user.kind,
      owner: user.owner ?? null,
      emails: JSON.stringify(user.emails),
      created_at_ms: user.createdAtMs,
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .executeTakeFirstOrThrow();
  return Number(numInsertedOrUpdatedRows ?? 0) > 0;
}

/** Sets a user's role in one project, or takes it away when `role` is undefined. */
export async function setGrant(
  transaction: WriteTransaction,
  grant: { readonly user: string; readonly project: string; readonly role: string | undefined },
): Promise<void> {
  if (grant.role === undefined) {
    await transaction
      .deleteFrom("access_grant")
      .where("user_name", "=", grant.user)
      .where("project", "=", grant.project)
      .execute();
    return;
  }
  await transaction
    .insertInto("access_grant")
    .values({ user_name: grant.user, project: grant.project, role: grant.role })
    .onConflict((conflict) =>
      conflict.columns(["user_name", "project"]).doUpdateSet((update) => ({ role: update.ref("excluded.role") })),
    )
    .execute();
}

/** How many users hold `role` for `project`. */
export async function countGrants(
  transaction: ReadTransaction,
  grant: { readonly project: string; readonly role: string },
): Promise<number> {
  const row = await transaction
    .selectFrom("access_grant")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", grant.project)
    .where("role", "=", grant.role)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

async function readUsers(transaction: ReadTransaction, names: readonly string[]): Promise<readonly StoredUser[]> {
  const rows = await transaction
    .selectFrom("access_user")
    .selectAll()
    .where("name", "in", names)
    .orderBy("name")
    .execute();
  const grants = await transaction
    .selectFrom("access_grant")
    .selectAll()
    .where("user_name", "in", names)
    .orderBy("project")
    .execute();
  return rows.map((row) => ({
    name: row.name,
    kind: row.kind,
    owner: row.owner ?? undefined,
    emails: JSON.parse(row.emails) as string[],
    createdAtMs: row.created_at_ms,
    grants: grants.filter((grant) => grant.user_name === row.name).map(({ project, role }) => ({ project, role })),
  }));
}
