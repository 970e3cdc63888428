import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table worker (
     project text not null, id text not null, name text not null, executor text, host text not null, version text not null,
     offer text not null, labels text not null, actor text not null, started_at_ms bigint not null, seen_at_ms bigint not null,
     primary key (project, id))`,
  "create unique index worker_name on worker (project, name)",
  `create table task (
     id text primary key, attempt_id text not null, project text not null, executor text not null, state text not null,
     spec text not null, manifest text not null, needs text not null, lease_ms bigint not null, worker_id text, worker_name text,
     token bigint not null, lease_expires_at_ms bigint, cancel_asked bigint not null, log_pieces bigint not null, result text,
     created_at_ms bigint not null, claimed_at_ms bigint, ended_at_ms bigint)`,
  "create index task_next on task (project, created_at_ms, id) where state = 'queued'",
  "create index task_of_attempt on task (attempt_id)",
  "create index task_of_worker on task (worker_id) where state = 'running'",
  `create table task_log (
     task_id text not null, number bigint not null, text text not null, primary key (task_id, number))`,
];

/** Processes that workers on other machines take from a queue and run. */
export const tasksMigration: Migration = {
  name: "tasks",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
