import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

/** Steps that run although something before them did not succeed: their own condition decides. */
export const ownConditionMigration: Migration = {
  name: "own-condition",
  async up(database: Kysely<never>) {
    for (const table of ["run_step", "step_run"])
      await sql`alter table ${sql.raw(table)} add column own_condition smallint not null default 0`.execute(database);
  },
};
