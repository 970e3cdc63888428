import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

/** Why somebody asked for a rollback. */
export const deploymentCommentsMigration: Migration = {
  name: "deployment_comments",
  async up(database: Kysely<never>) {
    await sql`alter table deployment add column comment text`.execute(database);
  },
};
