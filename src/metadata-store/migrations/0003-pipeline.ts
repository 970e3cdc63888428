import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const TABLES: readonly string[] = [
  `pipeline_definition (project text not null, digest text not null, name text not null, content text not null, created_at_ms bigint not null,
    primary key (project, digest))`,
  `pipeline (project text not null, name text not null, digest text not null, file text not null, load text not null, updated_at_ms bigint not null,
    primary key (project, name))`,
  `trigger_subscription (project text not null, on_kind text not null, pattern text not null, wildcard smallint not null, pipeline text not null,
    primary key (project, on_kind, pattern, pipeline))`,
  `schedule (project text not null, pipeline text not null, position bigint not null, cron text not null, timezone text not null, missed text not null,
    next_at_ms bigint not null, last_at_ms bigint, primary key (project, pipeline, position))`,
  `pipeline_run (id text primary key, project text not null, pipeline text not null, definition_digest text not null, status text not null,
    params text not null, selection text not null, trigger_kind text not null, trigger_subject text, trigger_cause text not null, actor text not null,
    source text, created_at_ms bigint not null, started_at_ms bigint, finished_at_ms bigint, cancel_requested smallint not null, blocked text,
    error text, revision bigint not null, concurrency_group text, concurrency_limit bigint)`,
  `run_step (pipeline_run_id text not null, step text not null, position bigint not null, kind text not null, pending bigint not null,
    remaining bigint not null, dependents text not null, outcome text, reason text, primary key (pipeline_run_id, step))`,
  `step_run (id text primary key, pipeline_run_id text not null, project text not null, pipeline text not null, step text not null,
    kind text not null, position bigint not null, matrix_index bigint not null, matrix text, status text not null, cached smallint not null,
    reason text, facts text, error text, progress text, gate_key text, queued_at_ms bigint, ready_at_ms bigint, started_at_ms bigint,
    finished_at_ms bigint, attempt_count bigint not null, failure_count bigint not null, lost_count bigint not null, token bigint not null,
    concurrency_group text, concurrency_limit bigint, cache_key text)`,
  `attempt (id text primary key, step_run_id text not null, pipeline_run_id text not null, project text not null, number bigint not null,
    token bigint not null, owner text not null, status text not null, lease_expires_at_ms bigint not null, claimed_at_ms bigint not null,
    started_at_ms bigint not null, finished_at_ms bigint, error text, tracking_run_id text)`,
  `step_output (step_run_id text not null, asset text not null, version_id text not null, created smallint not null, primary key (step_run_id, asset))`,
  `step_input (step_run_id text not null, asset text not null, role text not null, version_id text not null, primary key (step_run_id, asset, role))`,
  `cache_entry (project text not null, key text not null, pipeline text not null, step text not null, matrix_index bigint not null, parts text not null,
    outputs text not null, facts text, blocks text, step_run_id text not null, made_at_ms bigint not null, primary key (project, key))`,
  `log_chunk (step_run_id text not null, attempt_number bigint not null, sequence bigint not null, stream text not null, text text not null,
    at_ms bigint not null, primary key (step_run_id, attempt_number, sequence))`,
  `slot (project text not null, group_name text not null, holder text not null, step_run_id text not null, expires_at_ms bigint not null,
    acquired_at_ms bigint not null, primary key (project, group_name, holder))`,
  `slot_group (project text not null, group_name text not null, revision bigint not null, primary key (project, group_name))`,
  `gate (project text not null, key text not null, state text not null, reason text not null, changed_at_ms bigint not null, actor text not null,
    primary key (project, key))`,
  `engine_instance (id text primary key, project text not null, host text not null, pid bigint not null, process_start text not null,
    started_at_ms bigint not null, lease_expires_at_ms bigint not null, stopped smallint not null)`,
];

const INDEXES: readonly string[] = [
  "schedule_due on schedule (project, next_at_ms)",
  "pipeline_run_of_project on pipeline_run (project, id)",
  "pipeline_run_of_pipeline on pipeline_run (project, pipeline, id)",
  "pipeline_run_by_status on pipeline_run (project, status, id)",
  "pipeline_run_by_group on pipeline_run (project, concurrency_group, status, id)",
  "step_run_of_run on step_run (pipeline_run_id, position, matrix_index)",
  "step_run_open on step_run (pipeline_run_id, status)",
  "step_run_of_step on step_run (pipeline_run_id, step, matrix_index)",
  "step_run_queue on step_run (project, status, ready_at_ms)",
  "step_run_history on step_run (project, pipeline, step, id)",
  "step_run_gate on step_run (project, gate_key)",
  "attempt_of_step_run on attempt (step_run_id, number)",
  "attempt_lease on attempt (project, status, lease_expires_at_ms)",
  "attempt_owner on attempt (owner, status)",
  "attempt_of_pipeline_run on attempt (pipeline_run_id, status)",
  "step_output_version on step_output (version_id)",
  "cache_entry_of_step on cache_entry (project, pipeline, step, matrix_index, made_at_ms)",
  "slot_holder on slot (holder)",
];

export const pipelineMigration: Migration = {
  name: "pipeline",
  async up(database: Kysely<never>) {
    for (const table of TABLES) await sql`create table ${sql.raw(table)}`.execute(database);
    for (const index of INDEXES) await sql`create index ${sql.raw(index)}`.execute(database);
  },
};
