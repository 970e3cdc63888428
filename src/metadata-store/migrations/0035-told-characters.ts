import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

/** Of a task's log, how many characters are none of its process. */
export const toldCharactersMigration: Migration = {
  name: "told-characters",
  async up(database: Kysely<never>) {
    await sql.raw("alter table task add column told_characters integer not null default 0").execute(database);
  },
};
