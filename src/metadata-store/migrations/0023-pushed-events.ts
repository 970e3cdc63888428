import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table pushed_batch (
     id text primary key, project text not null, dataset text not null, idempotency_key text,
     body_digest text not null, events bigint not null, duplicates bigint not null, size_bytes bigint not null,
     payload text, actor text not null, received_at_ms bigint not null)`,
  `create unique index pushed_batch_key on pushed_batch (project, dataset, idempotency_key)
     where idempotency_key is not null`,
  "create index pushed_batch_waiting on pushed_batch (project, dataset, id) where payload is not null",
  "create index pushed_batch_age on pushed_batch (project, dataset, received_at_ms)",
  `create table pushed_event (
     project text not null, dataset text not null, event_key text not null, received_at_ms bigint not null,
     primary key (project, dataset, event_key))`,
  "create index pushed_event_age on pushed_event (project, dataset, received_at_ms)",
  `create table push_demand (
     project text not null, dataset text not null, asked_at_ms bigint not null, primary key (project, dataset))`,
];

/** Events that were pushed and are in no version yet, and what tells those that are sent twice. */
export const pushedEventsMigration: Migration = {
  name: "pushed-events",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
