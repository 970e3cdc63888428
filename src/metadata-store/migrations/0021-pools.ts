import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table pool (
     project text not null, name text not null, slots bigint not null, description text, updated_at_ms bigint not null,
     primary key (project, name))`,
  "alter table pipeline_run add column priority bigint not null default 0",
  "alter table step_run add column priority bigint not null default 0",
  "alter table step_run add column pool text",
  "alter table step_run add column pool_slots bigint",
  "alter table attempt add column pool text",
  "alter table attempt add column pool_slots bigint",
  // The next to be taken is found without a look at those behind it, in each pool and outside.
  "create index step_run_next on step_run (project, priority desc, ready_at_ms, id) where status = 'queued' and pool is null",
  "create index step_run_next_of_pool on step_run (project, pool, priority desc, ready_at_ms, id) where status = 'queued' and pool is not null",
  "create index attempt_in_pool on attempt (project, pool) where status = 'running' and pool is not null",
];

/** Pools of slots that step runs of all pipelines share, and which of them comes first. */
export const poolsMigration: Migration = {
  name: "pools",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
