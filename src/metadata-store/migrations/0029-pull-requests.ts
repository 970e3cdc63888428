import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table pull_request (
     project text not null, number bigint not null, preview text not null, title text not null, author text not null,
     branch text not null, base text not null, commit_id text not null, url text not null, outside smallint not null,
     state text not null, opened_at_ms bigint not null, updated_at_ms bigint not null, removed_at_ms bigint,
     primary key (project, number))`,
  `create table commit_check (
     pipeline_run_id text not null primary key, project text not null, commit_id text not null, pipeline text not null,
     pull_request bigint, told text, refused text, attempts bigint not null, next_at_ms bigint not null, last_error text)`,
  "create index commit_check_due on commit_check (project, next_at_ms)",
  "create index commit_check_pull_request on commit_check (project, pull_request)",
];

/** Pull requests with their previews, and what forges are told of the runs of their commits. */
export const pullRequestsMigration: Migration = {
  name: "pull requests",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
