import type { Migration } from "../migrate.ts";

/** Keys of those who decide, and approvals that are signed or that expire. */
export const signedApprovalsMigration: Migration = {
  name: "signed-approvals",
  async up({ schema }) {
    await schema
      .createTable("signing_key")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("user_name", "text", (column) => column.notNull())
      .addColumn("public_key", "text", (column) => column.notNull())
      .addColumn("label", "text", (column) => column.notNull())
      .addColumn("created_at_ms", "bigint", (column) => column.notNull())
      .addColumn("revoked_at_ms", "bigint")
      .execute();
    await schema.alterTable("approval").addColumn("expires_at_ms", "bigint").execute();
    await schema.alterTable("approval").addColumn("envelope", "text").execute();
  },
};
