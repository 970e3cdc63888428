import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  "create table step_result (step_run_id text primary key, outputs text not null)",
  "alter table cache_entry add column results text",
  "alter table run_step add column for_each smallint not null default 0",
  "alter table run_step add column max_parallel bigint",
  "alter table run_step add column fail_fast smallint not null default 0",
  // The next of 10,000 items is found without a look at those that have ended.
  "create index step_run_pending on step_run (pipeline_run_id, step, matrix_index) where status = 'pending'",
];

/** Outputs of steps, and steps that run once per item of a list that the run makes itself. */
export const engineItemsMigration: Migration = {
  name: "engine-items",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
