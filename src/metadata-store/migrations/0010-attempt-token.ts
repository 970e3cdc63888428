import type { Migration } from "../migrate.ts";

/** Tokens of attempts, by their hash; tokens that may do one thing only. */
export const attemptTokenMigration: Migration = {
  name: "attempt-token",
  async up({ schema }) {
    await schema.alterTable("attempt").addColumn("token_hash", "text").execute();
    await schema.alterTable("access_token").addColumn("only_action", "text").execute();
  },
};
