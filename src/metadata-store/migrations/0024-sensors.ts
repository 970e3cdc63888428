import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table sensor (
     project text not null, pipeline text not null, key text not null, position bigint not null, subject text not null,
     every_ms bigint not null, next_at_ms bigint not null, revision bigint not null, state text, checked_at_ms bigint,
     fired_at_ms bigint, fired_run text, fire_count bigint not null, error text, error_since_ms bigint,
     primary key (project, pipeline, key))`,
  "create index sensor_due on sensor (project, next_at_ms)",
  `create table pipeline_pause (
     project text not null, pipeline text not null, paused_at_ms bigint not null, actor text not null, reason text,
     primary key (project, pipeline))`,
];

/** What looks outside for what starts a pipeline, with what it saw last; pipelines that nothing starts by itself. */
export const sensorsMigration: Migration = {
  name: "sensors",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
