import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  "alter table asset_version add column expired_at_ms bigint",
  "create index asset_version_expired on asset_version (project, asset) where expired_at_ms is not null",
  "create index pipeline_run_finished on pipeline_run (project, finished_at_ms)",
];

/** Versions whose rows are kept no longer; runs by their end. */
export const expiredVersionsMigration: Migration = {
  name: "expired-versions",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
