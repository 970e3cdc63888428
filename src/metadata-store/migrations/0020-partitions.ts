import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  "alter table pipeline_run add column partition text",
  "create index pipeline_run_partition on pipeline_run (project, pipeline, partition, id) where partition is not null",
  `create table asset_partition (
     project text not null, asset text not null, partition text not null, version_id text not null,
     step_run_id text not null, identity text not null, made_at_ms bigint not null,
     primary key (project, asset, partition))`,
  `create table backfill (
     id text primary key, project text not null, pipeline text not null, status text not null,
     request text not null, params text not null, max_parallel bigint not null, fail_fast smallint not null,
     actor text not null, created_at_ms bigint not null, finished_at_ms bigint, revision bigint not null)`,
  "create index backfill_open on backfill (project, status, id)",
  "create index backfill_pipeline on backfill (project, pipeline, id)",
  `create table backfill_partition (
     backfill_id text not null, position bigint not null, partition text not null, status text not null,
     pipeline_run_id text, primary key (backfill_id, position))`,
  "create index backfill_partition_status on backfill_partition (backfill_id, status, position)",
  "create index backfill_partition_run on backfill_partition (pipeline_run_id) where pipeline_run_id is not null",
];

/** Which partition a run makes, what was made of each asset by partition, and backfills of many. */
export const partitionsMigration: Migration = {
  name: "partitions",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
