import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

/** Every start of an engine leaves a row for good: those that have not ended are found without reading the others. */
export const engineIndexMigration: Migration = {
  name: "engine-index",
  async up(database: Kysely<never>) {
    await sql`create index engine_not_stopped on engine_instance (project, stopped, id)`.execute(database);
  },
};
