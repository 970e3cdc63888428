import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  "alter table alert add column explanation text",
  "alter table alert add column close_reason text",
  `create table alert_notice (
     alert_id text not null, event text not null, target text not null, state text not null, attempts bigint not null,
     next_at_ms bigint not null, last_error text, delivered_at_ms bigint, primary key (alert_id, event, target))`,
  "create index alert_notice_due on alert_notice (state, next_at_ms)",
  `insert into alert_notice (alert_id, event, target, state, attempts, next_at_ms, last_error, delivered_at_ms)
     select alert_id, 'opened', target, state, attempts, next_at_ms, last_error, delivered_at_ms from alert_delivery`,
  "drop table alert_delivery",
];

/** Why an alert opened, why it closed, and notices of both. */
export const alertNoticesMigration: Migration = {
  name: "alert-notices",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
