import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table prediction_history (
     project text not null, environment text not null, endpoint text not null, folder text not null,
     delta_version bigint not null, cleared_version bigint not null, holder text, held_until_ms bigint not null,
     primary key (project, environment, endpoint))`,
  `create table prediction_label (
     id text primary key, project text not null, environment text not null, endpoint text not null,
     model_version_id text not null, arm text not null, at_ms bigint not null, received_at_ms bigint not null,
     prediction double precision, prediction_text text, label double precision, label_text text,
     label_at_ms bigint not null, label_received_at_ms bigint not null, label_corrections bigint not null)`,
  "create index prediction_label_time on prediction_label (project, environment, endpoint, at_ms, id)",
  "create index prediction_label_model on prediction_label (project, environment, endpoint, model_version_id, id)",
];

/** Where the predictions lie that left the database, and the labels of those. */
export const predictionHistoryMigration: Migration = {
  name: "prediction-history",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
