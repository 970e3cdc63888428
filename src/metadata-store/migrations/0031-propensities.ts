import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

/** With what chance a version was drawn to answer a row. */
export const propensitiesMigration: Migration = {
  name: "propensities",
  async up(database: Kysely<never>) {
    for (const table of ["prediction", "prediction_label"])
      await sql.raw(`alter table ${table} add column propensity double precision`).execute(database);
  },
};
