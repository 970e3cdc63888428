import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table pushed_feature (
     project text not null, view text not null, entity_key text not null, key_columns text not null,
     event_us bigint not null, created_us bigint, payload text not null, pushed_at_ms bigint not null,
     primary key (project, view, entity_key))`,
  "create index pushed_feature_age on pushed_feature (project, view, event_us)",
  "create index pushed_feature_arrival on pushed_feature (project, view, pushed_at_ms)",
];

/** Values that were pushed to feature views, and are in no version of their sources yet. */
export const pushedFeaturesMigration: Migration = {
  name: "pushed-features",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
