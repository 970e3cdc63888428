import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table deadline (
     project text not null, pipeline text not null, step text not null, within_ms bigint, at text, timezone text,
     seen_until_ms bigint not null, next_at_ms bigint, revision bigint not null,
     primary key (project, pipeline, step))`,
  `create table late (
     project text not null, pipeline text not null, step text not null, subject text not null, from_ms bigint not null,
     due_at_ms bigint not null,
     primary key (project, pipeline, step, subject))`,
  "create index pipeline_run_created on pipeline_run (project, pipeline, created_at_ms)",
];

/** By when pipelines and steps must have ended, and what is late. */
export const deadlinesMigration: Migration = {
  name: "deadlines",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
