-- Made by scripts/generate.ts

CREATE TABLE "access_grant" ("user_name" text not null,
  "project" text not null,
  "role" text not null, constraint "access_grant_key" primary key ("user_name",
  "project"));

CREATE TABLE "access_token" ("id" text primary key,
  "user_name" text not null,
  "label" text not null,
  "secret_hash" text not null,
  "created_at_ms" bigint not null,
  "expires_at_ms" bigint,
  "last_used_at_ms" bigint,
  "revoked_at_ms" bigint,
  "only_action" text);

CREATE TABLE "access_user" ("name" text primary key,
  "kind" text not null,
  "owner" text,
  "emails" text not null,
  "created_at_ms" bigint not null);

CREATE TABLE "alert" ("id" text primary key,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "monitor" text not null,
  "metric" text not null,
  "subject" text not null,
  "segment" text not null,
  "state" text not null,
  "value" double precision not null,
  "threshold" double precision not null,
  "window_start_ms" bigint not null,
  "window_end_ms" bigint not null,
  "last_window_start_ms" bigint not null,
  "windows" bigint not null,
  "n" bigint not null,
  "model_version_id" text,
  "message" text not null,
  "opened_at_ms" bigint not null,
  "changed_at_ms" bigint not null,
  "changed_by" text not null,
  "triggered" text not null, explanation text, close_reason text, constraint "alert_window" unique ("project",
  "environment",
  "monitor",
  "metric",
  "subject",
  "segment",
  "window_start_ms"));

CREATE TABLE alert_notice (
     alert_id text not null, event text not null, target text not null, state text not null, attempts bigint not null,
     next_at_ms bigint not null, last_error text, delivered_at_ms bigint, primary key (alert_id, event, target));

CREATE TABLE "approval" ("id" text primary key,
  "project" text not null,
  "subject_kind" text not null,
  "digest" text not null,
  "environment" text not null,
  "decision" text not null,
  "actor" text not null,
  "counts_for" text not null,
  "comment" text not null,
  "at_ms" bigint not null,
  "revoked_at_ms" bigint,
  "revoked_by" text,
  "expires_at_ms" bigint,
  "envelope" text);

CREATE TABLE "approval_request" ("project" text not null,
  "digest" text not null,
  "environment" text not null,
  "subject_kind" text not null,
  "subject" text not null,
  "version_id" text,
  "reason" text not null,
  "needed" bigint not null,
  "requested_by" text not null,
  "requested_at_ms" bigint not null,
  "closed_at_ms" bigint, constraint "approval_request_key" primary key ("project",
  "digest",
  "environment"));

CREATE TABLE "asset" ("project" text not null,
  "name" text not null,
  "kind" text not null,
  "latest_version" bigint not null,
  "created_at_ms" bigint not null,
  "dropped_at_ms" bigint, constraint "asset_key" primary key ("project",
  "name"));

CREATE TABLE asset_partition (
     project text not null, asset text not null, partition text not null, version_id text not null,
     step_run_id text not null, identity text not null, made_at_ms bigint not null,
     primary key (project, asset, partition));

CREATE TABLE "asset_version" ("id" text primary key,
  "project" text not null,
  "asset" text not null,
  "kind" text not null,
  "version" bigint not null,
  "digest" text not null,
  "made_at_ms" bigint not null,
  "pipeline_run_id" text,
  "step_run_id" text,
  "row_count" bigint,
  "size_bytes" bigint,
  "content" text not null, expired_at_ms bigint, constraint "asset_version_number" unique ("project",
  "asset",
  "version"));

CREATE TABLE "asset_version_input" ("version_id" text not null,
  "input_version_id" text not null,
  "role" text not null, constraint "asset_version_input_key" primary key ("version_id",
  "input_version_id",
  "role"));

CREATE TABLE attempt (id text primary key, step_run_id text not null, pipeline_run_id text not null, project text not null, number bigint not null,
    token bigint not null, owner text not null, status text not null, lease_expires_at_ms bigint not null, claimed_at_ms bigint not null,
    started_at_ms bigint not null, finished_at_ms bigint, error text, tracking_run_id text,
  "token_hash" text, pool text, pool_slots bigint);

CREATE TABLE backfill (
     id text primary key, project text not null, pipeline text not null, status text not null,
     request text not null, params text not null, max_parallel bigint not null, fail_fast smallint not null,
     actor text not null, created_at_ms bigint not null, finished_at_ms bigint, revision bigint not null);

CREATE TABLE backfill_partition (
     backfill_id text not null, position bigint not null, partition text not null, status text not null,
     pipeline_run_id text, primary key (backfill_id, position));

CREATE TABLE cache_entry (project text not null, key text not null, pipeline text not null, step text not null, matrix_index bigint not null, parts text not null,
    outputs text not null, facts text, blocks text, step_run_id text not null, made_at_ms bigint not null, results text, primary key (project, key));

CREATE TABLE "captured_file" ("project" text not null,
  "dataset" text not null,
  "digest" text not null,
  "path" text not null,
  "size_bytes" bigint not null,
  "mtime_ms" bigint not null,
  "rows_read" bigint not null,
  "rows_published" bigint not null,
  "rows_quarantined" bigint not null,
  "step_run_id" text,
  "at_ms" bigint not null,
  "state" text default 'captured' not null, constraint "captured_file_key" primary key ("project",
  "dataset",
  "digest"));

CREATE TABLE commit_check (
     pipeline_run_id text not null primary key, project text not null, commit_id text not null, pipeline text not null,
     pull_request bigint, told text, refused text, attempts bigint not null, next_at_ms bigint not null, last_error text);

CREATE TABLE "dataset" ("number" integer primary key autoincrement,
  "experiment_id" bigint not null,
  "name" text not null,
  "digest" text not null,
  "source_type" text not null,
  "source" text not null,
  "schema" text,
  "profile" text, constraint "dataset_identity" unique ("experiment_id",
  "name",
  "digest"));

CREATE TABLE "dataset_lock" ("project" text not null,
  "asset" text not null,
  "locked_at_ms" bigint not null, constraint "dataset_lock_key" primary key ("project",
  "asset"));

CREATE TABLE "dataset_order" ("version_id" text not null,
  "order_digest" text not null,
  "is_unique" smallint not null, constraint "dataset_order_key" primary key ("version_id",
  "order_digest"));

CREATE TABLE "dataset_write" ("project" text not null,
  "asset" text not null,
  "operation_id" text not null,
  "state" text not null,
  "table_name" text not null,
  "read_version" bigint not null,
  "delta_version" bigint,
  "digest" text,
  "made" text,
  "begun_at_ms" bigint not null,
  "expires_at_ms" bigint not null, constraint "dataset_write_key" primary key ("project",
  "asset",
  "operation_id"));

CREATE TABLE deadline (
     project text not null, pipeline text not null, step text not null, within_ms bigint, at text, timezone text,
     seen_until_ms bigint not null, next_at_ms bigint, revision bigint not null,
     primary key (project, pipeline, step));

CREATE TABLE "deployed" ("project" text not null,
  "environment" text not null,
  "asset" text not null,
  "deployment_id" text not null,
  "release_id" text not null,
  "version_id" text not null,
  "at_ms" bigint not null, constraint "deployed_key" primary key ("project",
  "environment",
  "asset"));

CREATE TABLE "deployment" ("id" text primary key,
  "project" text not null,
  "environment" text not null,
  "asset" text not null,
  "release_id" text not null,
  "reason" text not null,
  "status" text not null,
  "idempotency_key" text not null,
  "step_run_id" text,
  "actor" text not null,
  "started_at_ms" bigint not null,
  "ended_at_ms" bigint,
  "target" text,
  "error" text, comment text, constraint "deployment_idempotency" unique ("project",
  "idempotency_key"));

CREATE TABLE "endpoint" ("project" text not null,
  "environment" text not null,
  "name" text not null,
  "model_version_id" text not null,
  "candidate_version_id" text,
  "previous_version_id" text,
  "strategy" text not null,
  "state" text not null,
  "options" text not null,
  "generation" bigint not null,
  "updated_at_ms" bigint not null, constraint "endpoint_key" primary key ("project",
  "environment",
  "name"));

CREATE TABLE "endpoint_change" ("id" text primary key,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "action" text not null,
  "model_version_id" text not null,
  "previous_version_id" text,
  "strategy" text not null,
  "actor" text not null,
  "at_ms" bigint not null,
  "operation_id" text not null unique);

CREATE TABLE "endpoint_trial" ("id" text primary key,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "strategy" text not null,
  "stable_version_id" text not null,
  "candidate_version_id" text not null,
  "started_at_ms" bigint not null,
  "ended_at_ms" bigint,
  "outcome" text,
  "reason" text,
  "figures" text not null);

CREATE TABLE engine_instance (id text primary key, project text not null, host text not null, pid bigint not null, process_start text not null,
    started_at_ms bigint not null, lease_expires_at_ms bigint not null, stopped smallint not null);

CREATE TABLE "event" ("sequence" integer primary key autoincrement,
  "at_ms" bigint not null,
  "project" text not null,
  "type" text not null,
  "subject_kind" text not null,
  "subject" text not null,
  "actor" text not null,
  "data" text not null);

CREATE TABLE event_log (
      id smallint primary key, size bigint not null, last_sequence bigint not null, holes text not null,
      origin text, verifier_key text);

CREATE TABLE event_tile (
      level smallint not null, number bigint not null, hashes text not null, sequences text,
      primary key (level, number));

CREATE TABLE "experiment" ("experiment_id" integer primary key autoincrement,
  "project" text not null,
  "name" text not null unique,
  "artifact_location" text,
  "lifecycle_stage" text not null,
  "creation_time" bigint not null,
  "last_update_time" bigint not null);

CREATE TABLE "experiment_tag" ("experiment_id" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null, constraint "experiment_tag_key" primary key ("experiment_id",
  "key")) without rowid;

CREATE TABLE "feature_view_state" ("project" text not null,
  "view" text not null,
  "definition_digest" text not null,
  "source_version_id" text not null,
  "source_version" bigint not null,
  "generation" bigint not null,
  "materialized_at_ms" bigint not null,
  "row_count" bigint not null, constraint "feature_view_state_key" primary key ("project",
  "view"));

CREATE TABLE gate (project text not null, key text not null, state text not null, reason text not null, changed_at_ms bigint not null, actor text not null,
    primary key (project, key));

CREATE TABLE "interval_ledger" ("project" text not null,
  "dataset" text not null,
  "delta_version" bigint not null,
  "ledger" text not null,
  "at_ms" bigint not null, constraint "interval_ledger_key" primary key ("project",
  "dataset"));

CREATE TABLE late (
     project text not null, pipeline text not null, step text not null, subject text not null, from_ms bigint not null,
     due_at_ms bigint not null,
     primary key (project, pipeline, step, subject));

CREATE TABLE log_blob (id bigint not null primary key, digest text not null, size_bytes bigint not null);

CREATE TABLE log_chunk (step_run_id text not null, attempt_number bigint not null, sequence bigint not null, stream text not null, text text not null,
    at_ms bigint not null, primary key (step_run_id, attempt_number, sequence));

CREATE TABLE log_segment (step_run_id text not null, attempt_number bigint not null,
  first_sequence bigint not null, last_sequence bigint not null, blob_id bigint not null, start_byte bigint not null,
  size_bytes bigint not null, stdout_characters bigint not null, stderr_characters bigint not null,
  primary key (step_run_id, attempt_number, first_sequence)) without rowid;

CREATE TABLE "logged_model" ("id" text primary key,
  "experiment_id" text not null,
  "name" text not null,
  "artifact_uri" text not null,
  "created_at_ms" bigint not null,
  "updated_at_ms" bigint not null,
  "status" text not null,
  "model_type" text,
  "source_run_id" text,
  "deleted" smallint not null,
  "deleted_at_ms" bigint);

CREATE TABLE "logged_model_metric" ("logged_model_id" text not null,
  "key" text not null,
  "dataset_name" text not null,
  "dataset_digest" text not null,
  "run_id" text not null,
  "value" double precision not null,
  "is_nan" smallint not null,
  "timestamp_ms" bigint not null,
  "step" bigint not null, constraint "logged_model_metric_key" primary key ("logged_model_id",
  "key",
  "run_id",
  "timestamp_ms",
  "step",
  "dataset_name",
  "dataset_digest"));

CREATE TABLE "logged_model_param" ("logged_model_id" text not null,
  "key" text not null,
  "value" text not null, constraint "logged_model_param_key" primary key ("logged_model_id",
  "key"));

CREATE TABLE "logged_model_tag" ("logged_model_id" text not null,
  "key" text not null,
  "value" text not null, constraint "logged_model_tag_key" primary key ("logged_model_id",
  "key"));

CREATE TABLE "model_version" ("id" text primary key,
  "registered_model_id" text not null,
  "version" bigint not null,
  "created_at_ms" bigint not null,
  "updated_at_ms" bigint not null,
  "description" text,
  "stage" text not null,
  "source" text not null,
  "storage_location" text not null,
  "run_id" text,
  "run_link" text,
  "logged_model_id" text,
  "asset_version_id" text,
  "actor" text not null, constraint "model_version_number" unique ("registered_model_id",
  "version"));

CREATE TABLE "model_version_tag" ("model_version_id" text not null,
  "key" text not null,
  "value" text not null,
  "position" text default '' not null, constraint "model_version_tag_key" primary key ("model_version_id",
  "key"));

CREATE TABLE "monitor" ("project" text not null,
  "environment" text not null,
  "name" text not null,
  "endpoint" text not null,
  "declaration" text not null,
  "file" text not null,
  "updated_at_ms" bigint not null, constraint "monitor_key" primary key ("project",
  "environment",
  "name"));

CREATE TABLE "monitor_score" ("project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "size" text not null,
  "start_ms" bigint not null,
  "metric" text not null,
  "subject" text not null,
  "segment" text not null,
  "value" double precision,
  "baseline" double precision,
  "threshold" double precision,
  "breached" smallint,
  "n" bigint not null,
  "n_reference" bigint,
  "method" text not null, constraint "monitor_score_key" primary key ("project",
  "environment",
  "endpoint",
  "size",
  "start_ms",
  "metric",
  "subject",
  "segment"));

CREATE TABLE "monitor_window" ("project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "size" text not null,
  "start_ms" bigint not null,
  "end_ms" bigint not null,
  "predictions" bigint not null,
  "labelled" bigint not null,
  "versions" text not null,
  "reference_version_id" text,
  "closed" smallint not null,
  "evaluated_at_ms" bigint not null,
  "corrections" bigint default 0 not null, constraint "monitor_window_key" primary key ("project",
  "environment",
  "endpoint",
  "size",
  "start_ms"));

CREATE TABLE objective_count (
     project text not null, environment text not null, endpoint text not null, objective text not null, span text not null,
     start_ms bigint not null, good bigint not null, total bigint not null,
     primary key (project, environment, endpoint, objective, span, start_ms));

CREATE TABLE "online_feature" ("project" text not null,
  "view" text not null,
  "generation" bigint not null,
  "entity_key" text not null,
  "event_us" bigint not null,
  "created_us" bigint,
  "payload" text not null, constraint "online_feature_key" primary key ("project",
  "view",
  "generation",
  "entity_key"));

CREATE TABLE pipeline (project text not null, name text not null, digest text not null, file text not null, load text not null, updated_at_ms bigint not null,
    primary key (project, name));

CREATE TABLE pipeline_definition (project text not null, digest text not null, name text not null, content text not null, created_at_ms bigint not null,
    primary key (project, digest));

CREATE TABLE pipeline_pause (
     project text not null, pipeline text not null, paused_at_ms bigint not null, actor text not null, reason text,
     primary key (project, pipeline));

CREATE TABLE pipeline_run (id text primary key, project text not null, pipeline text not null, definition_digest text not null, status text not null,
    params text not null, selection text not null, trigger_kind text not null, trigger_subject text, trigger_cause text not null, actor text not null,
    source text, created_at_ms bigint not null, started_at_ms bigint, finished_at_ms bigint, cancel_requested smallint not null, blocked text,
    error text, revision bigint not null, concurrency_group text, concurrency_limit bigint, partition text, priority bigint not null default 0);

CREATE TABLE pool (
     project text not null, name text not null, slots bigint not null, description text, updated_at_ms bigint not null,
     primary key (project, name));

CREATE TABLE "prediction" ("id" text primary key,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "model_version_id" text not null,
  "arm" text not null,
  "at_ms" bigint not null,
  "received_at_ms" bigint not null,
  "request_id" text not null,
  "features" text not null,
  "context" text,
  "prediction" double precision,
  "prediction_text" text,
  "entity_key" text,
  "label" double precision,
  "label_text" text,
  "label_at_ms" bigint,
  "label_received_at_ms" bigint,
  "label_corrections" bigint not null,
  "feature_status" text, propensity double precision);

CREATE TABLE prediction_history (
     project text not null, environment text not null, endpoint text not null, folder text not null,
     delta_version bigint not null, cleared_version bigint not null, holder text, held_until_ms bigint not null,
     primary key (project, environment, endpoint));

CREATE TABLE "prediction_hour" ("project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "model_version_id" text not null,
  "arm" text not null,
  "hour_ms" bigint not null,
  "predictions" bigint not null,
  "labelled" bigint not null,
  "corrections" bigint not null,
  "last_received_at_ms" bigint not null,
  "revision" bigint not null, constraint "prediction_hour_key" primary key ("project",
  "environment",
  "endpoint",
  "hour_ms",
  "model_version_id",
  "arm"));

CREATE TABLE prediction_label (
     id text primary key, project text not null, environment text not null, endpoint text not null,
     model_version_id text not null, arm text not null, at_ms bigint not null, received_at_ms bigint not null,
     prediction double precision, prediction_text text, label double precision, label_text text,
     label_at_ms bigint not null, label_received_at_ms bigint not null, label_corrections bigint not null, propensity double precision);

CREATE TABLE "prediction_total" ("project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "model_version_id" text not null,
  "arm" text not null,
  "predictions" bigint not null,
  "labelled" bigint not null,
  "corrections" bigint not null,
  "first_at_ms" bigint not null,
  "last_at_ms" bigint not null,
  "revision" bigint not null, constraint "prediction_total_key" primary key ("project",
  "environment",
  "endpoint",
  "model_version_id",
  "arm"));

CREATE TABLE pull_request (
     project text not null, number bigint not null, preview text not null, title text not null, author text not null,
     branch text not null, base text not null, commit_id text not null, url text not null, outside smallint not null,
     state text not null, opened_at_ms bigint not null, updated_at_ms bigint not null, removed_at_ms bigint,
     primary key (project, number));

CREATE TABLE "push_delivery" ("project" text not null,
  "id" text not null,
  "branch" text not null,
  "commit_id" text not null,
  "pusher" text not null,
  "at_ms" bigint not null,
  "answer" text not null, constraint "push_delivery_key" primary key ("project",
  "id"));

CREATE TABLE push_demand (
     project text not null, dataset text not null, asked_at_ms bigint not null, primary key (project, dataset));

CREATE TABLE pushed_batch (
     id text primary key, project text not null, dataset text not null, idempotency_key text,
     body_digest text not null, events bigint not null, duplicates bigint not null, size_bytes bigint not null,
     payload text, actor text not null, received_at_ms bigint not null);

CREATE TABLE pushed_event (
     project text not null, dataset text not null, event_key text not null, received_at_ms bigint not null,
     primary key (project, dataset, event_key));

CREATE TABLE pushed_feature (
     project text not null, view text not null, entity_key text not null, key_columns text not null,
     event_us bigint not null, created_us bigint, payload text not null, pushed_at_ms bigint not null,
     primary key (project, view, entity_key));

CREATE TABLE "quarantine_batch" ("id" text primary key,
  "project" text not null,
  "dataset" text not null,
  "source_path" text not null,
  "source_digest" text not null,
  "source_format" text not null,
  "file_problem" text,
  "rows" bigint not null,
  "object_digest" text,
  "rules" text not null,
  "contract" text,
  "pipeline_run_id" text,
  "step_run_id" text,
  "attempt_id" text,
  "at_ms" bigint not null,
  "held" bigint not null,
  "replayed" bigint not null,
  "discarded" bigint not null,
  "superseded" bigint default 0 not null,
  "closed_as" text,
  "closed_by" text,
  "closed_reason" text,
  "closed_at_ms" bigint);

CREATE TABLE "quarantine_row" ("batch_id" text not null,
  "row_number" bigint not null,
  "state" text not null,
  "actor" text not null,
  "reason" text not null,
  "at_ms" bigint not null, constraint "quarantine_row_key" primary key ("batch_id",
  "row_number"));

CREATE TABLE "registered_model" ("id" text primary key,
  "project" text not null,
  "name" text not null unique,
  "description" text,
  "created_at_ms" bigint not null,
  "updated_at_ms" bigint not null,
  "last_version" bigint not null,
  "is_prompt" smallint not null);

CREATE TABLE "registered_model_alias" ("registered_model_id" text not null,
  "alias" text not null,
  "version" bigint not null, constraint "registered_model_alias_key" primary key ("registered_model_id",
  "alias"));

CREATE TABLE "registered_model_tag" ("registered_model_id" text not null,
  "key" text not null,
  "value" text not null,
  "position" text default '' not null, constraint "registered_model_tag_key" primary key ("registered_model_id",
  "key"));

CREATE TABLE "release" ("id" text primary key,
  "project" text not null,
  "environment" text not null,
  "number" bigint not null,
  "asset" text not null,
  "version_id" text not null,
  "created_at_ms" bigint not null,
  "created_by" text not null,
  "settings" text not null, constraint "release_number" unique ("project",
  "environment",
  "number"));

CREATE TABLE "release_version" ("release_id" text not null,
  "version_id" text not null,
  "asset" text not null,
  "kind" text not null,
  "digest" text not null,
  "role" text not null, constraint "release_version_key" primary key ("release_id",
  "version_id"));

CREATE TABLE "restatement" ("id" text primary key,
  "project" text not null,
  "dataset" text not null,
  "from_ms" bigint,
  "to_ms" bigint,
  "actor" text not null,
  "at_ms" bigint not null);

CREATE TABLE "run" ("number" integer primary key autoincrement,
  "run_id" text not null unique,
  "experiment_id" bigint not null,
  "project" text not null,
  "run_name" text not null,
  "user_id" text not null,
  "status" text not null,
  "start_time" bigint not null,
  "end_time" bigint,
  "artifact_uri" text not null,
  "lifecycle_stage" text not null,
  "attempt_id" text unique,
  "pipeline_run_id" text);

CREATE TABLE "run_dataset" ("run" bigint not null,
  "dataset" bigint not null,
  "context" text,
  "sequence" bigint not null, constraint "run_dataset_key" primary key ("run",
  "dataset")) without rowid;

CREATE TABLE "run_dataset_tag" ("run" bigint not null,
  "dataset" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null, constraint "run_dataset_tag_key" primary key ("run",
  "dataset",
  "key")) without rowid;

CREATE TABLE "run_latest_metric" ("run" bigint not null,
  "key" text not null,
  "timestamp_ms" bigint not null,
  "step" bigint not null,
  "value" double precision not null,
  "is_nan" smallint not null,
  "sequence" bigint not null, constraint "run_latest_metric_key" primary key ("run",
  "key")) without rowid;

CREATE TABLE "run_metric" ("run" bigint not null,
  "key" text not null,
  "timestamp_ms" bigint not null,
  "step" bigint not null,
  "value" double precision not null,
  "is_nan" smallint not null, constraint "run_metric_key" primary key ("run",
  "key",
  "timestamp_ms",
  "step",
  "value",
  "is_nan")) without rowid;

CREATE TABLE "run_model" ("run" bigint not null,
  "direction" text not null,
  "model_id" text not null,
  "step" bigint not null,
  "sequence" bigint not null, constraint "run_model_key" primary key ("run",
  "direction",
  "model_id")) without rowid;

CREATE TABLE "run_param" ("run" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null, constraint "run_param_key" primary key ("run",
  "key")) without rowid;

CREATE TABLE run_step (pipeline_run_id text not null, step text not null, position bigint not null, kind text not null, pending bigint not null,
    remaining bigint not null, dependents text not null, outcome text, reason text, own_condition smallint not null default 0, for_each smallint not null default 0, max_parallel bigint, fail_fast smallint not null default 0, primary key (pipeline_run_id, step));

CREATE TABLE "run_tag" ("run" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null, constraint "run_tag_key" primary key ("run",
  "key")) without rowid;

CREATE TABLE schedule (project text not null, pipeline text not null, position bigint not null, cron text not null, timezone text not null, missed text not null,
    next_at_ms bigint not null, last_at_ms bigint, primary key (project, pipeline, position));

CREATE TABLE schema_migration (number bigint primary key, name text not null, applied_at_ms bigint not null);

CREATE TABLE sensor (
     project text not null, pipeline text not null, key text not null, position bigint not null, subject text not null,
     every_ms bigint not null, next_at_ms bigint not null, revision bigint not null, state text, checked_at_ms bigint,
     fired_at_ms bigint, fired_run text, fire_count bigint not null, error text, error_since_ms bigint,
     primary key (project, pipeline, key));

CREATE TABLE "signing_key" ("id" text primary key,
  "user_name" text not null,
  "public_key" text not null,
  "label" text not null,
  "created_at_ms" bigint not null,
  "revoked_at_ms" bigint);

CREATE TABLE slot (project text not null, group_name text not null, holder text not null, step_run_id text not null, expires_at_ms bigint not null,
    acquired_at_ms bigint not null, primary key (project, group_name, holder));

CREATE TABLE slot_group (project text not null, group_name text not null, revision bigint not null, primary key (project, group_name));

CREATE TABLE sqlite_sequence(name,seq);

CREATE TABLE step_input (step_run_id text not null, asset text not null, role text not null, version_id text not null, primary key (step_run_id, asset, role));

CREATE TABLE step_output (step_run_id text not null, asset text not null, version_id text not null, created smallint not null, primary key (step_run_id, asset));

CREATE TABLE step_result (step_run_id text primary key, outputs text not null);

CREATE TABLE step_run (id text primary key, pipeline_run_id text not null, project text not null, pipeline text not null, step text not null,
    kind text not null, position bigint not null, matrix_index bigint not null, matrix text, status text not null, cached smallint not null,
    reason text, facts text, error text, progress text, gate_key text, queued_at_ms bigint, ready_at_ms bigint, started_at_ms bigint,
    finished_at_ms bigint, attempt_count bigint not null, failure_count bigint not null, lost_count bigint not null, token bigint not null,
    concurrency_group text, concurrency_limit bigint, cache_key text, own_condition smallint not null default 0, priority bigint not null default 0, pool text, pool_slots bigint);

CREATE TABLE task (
     id text primary key, attempt_id text not null, project text not null, executor text not null, state text not null,
     spec text not null, manifest text not null, needs text not null, lease_ms bigint not null, worker_id text, worker_name text,
     token bigint not null, lease_expires_at_ms bigint, cancel_asked bigint not null, log_pieces bigint not null, result text,
     created_at_ms bigint not null, claimed_at_ms bigint, ended_at_ms bigint, told_characters integer not null default 0);

CREATE TABLE task_log (
     task_id text not null, number bigint not null, text text not null, primary key (task_id, number));

CREATE TABLE trigger_subscription (project text not null, on_kind text not null, pattern text not null, wildcard smallint not null, pipeline text not null,
    primary key (project, on_kind, pattern, pipeline));

CREATE TABLE "unmatched_label" ("id" text primary key,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "label_key" text not null,
  "label" text not null,
  "reason" text not null,
  "received_at_ms" bigint not null);

CREATE TABLE "verdict" ("version_id" text primary key,
  "project" text not null,
  "passed" smallint not null,
  "at_ms" bigint not null,
  "step_run_id" text,
  "content" text not null);

CREATE TABLE "webhook" ("id" text primary key,
  "name" text not null,
  "description" text,
  "url" text not null,
  "events" text not null,
  "secret" text,
  "status" text not null,
  "created_at_ms" bigint not null,
  "updated_at_ms" bigint not null);

CREATE TABLE "webhook_delivery" ("id" text primary key,
  "webhook_id" text not null,
  "body" text not null,
  "state" text not null,
  "attempts" bigint not null,
  "due_at_ms" bigint not null,
  "created_at_ms" bigint not null,
  "response_status" bigint,
  "error" text);

CREATE TABLE worker (
     project text not null, id text not null, name text not null, executor text, host text not null, version text not null,
     offer text not null, labels text not null, actor text not null, started_at_ms bigint not null, seen_at_ms bigint not null,
     primary key (project, id));

CREATE INDEX "access_token_user" on "access_token" ("user_name");

CREATE INDEX alert_notice_due on alert_notice (state, next_at_ms);

CREATE INDEX "alert_of" on "alert" ("project",
  "state",
  "id");

CREATE INDEX "alert_of_endpoint" on "alert" ("project",
  "environment",
  "endpoint",
  "state",
  "id");

CREATE INDEX "approval_digest" on "approval" ("project",
  "digest");

CREATE INDEX "asset_of_kind" on "asset" ("project",
  "kind",
  "name");

CREATE INDEX "asset_version_digest" on "asset_version" ("project",
  "digest");

CREATE INDEX asset_version_expired on asset_version (project, asset) where expired_at_ms is not null;

CREATE INDEX "asset_version_input_of" on "asset_version_input" ("input_version_id");

CREATE INDEX "asset_version_step_run" on "asset_version" ("step_run_id");

CREATE INDEX attempt_in_pool on attempt (project, pool) where status = 'running' and pool is not null;

CREATE INDEX attempt_lease on attempt (project, status, lease_expires_at_ms);

CREATE INDEX attempt_of_pipeline_run on attempt (pipeline_run_id, status);

CREATE INDEX attempt_of_step_run on attempt (step_run_id, number);

CREATE INDEX attempt_owner on attempt (owner, status);

CREATE INDEX backfill_open on backfill (project, status, id);

CREATE INDEX backfill_partition_run on backfill_partition (pipeline_run_id) where pipeline_run_id is not null;

CREATE INDEX backfill_partition_status on backfill_partition (backfill_id, status, position);

CREATE INDEX backfill_pipeline on backfill (project, pipeline, id);

CREATE INDEX cache_entry_of_step on cache_entry (project, pipeline, step, matrix_index, made_at_ms);

CREATE INDEX commit_check_due on commit_check (project, next_at_ms);

CREATE INDEX commit_check_pull_request on commit_check (project, pull_request);

CREATE INDEX "dataset_write_state" on "dataset_write" ("project",
  "asset",
  "state");

CREATE INDEX "deployment_history" on "deployment" ("project",
  "environment",
  "id");

CREATE INDEX "deployment_of_release" on "deployment" ("release_id",
  "id");

CREATE INDEX "deployment_of_target" on "deployment" ("project",
  "environment",
  "asset",
  "status",
  "id");

CREATE INDEX "endpoint_change_of" on "endpoint_change" ("project",
  "environment",
  "endpoint",
  "id");

CREATE INDEX "endpoint_trial_endpoint" on "endpoint_trial" ("project",
  "environment",
  "endpoint",
  "id");

CREATE INDEX engine_not_stopped on engine_instance (project, stopped, id);

CREATE INDEX "event_subject" on "event" ("subject_kind",
  "subject",
  "sequence");

CREATE INDEX log_segment_of_blob on log_segment (blob_id);

CREATE INDEX "logged_model_experiment" on "logged_model" ("experiment_id",
  "created_at_ms");

CREATE INDEX "logged_model_run" on "logged_model" ("source_run_id");

CREATE INDEX "model_version_asset" on "model_version" ("asset_version_id");

CREATE INDEX "model_version_run" on "model_version" ("run_id");

CREATE INDEX "model_version_updated" on "model_version" ("updated_at_ms");

CREATE INDEX pipeline_run_by_group on pipeline_run (project, concurrency_group, status, id);

CREATE INDEX pipeline_run_by_status on pipeline_run (project, status, id);

CREATE INDEX pipeline_run_created on pipeline_run (project, pipeline, created_at_ms);

CREATE INDEX pipeline_run_finished on pipeline_run (project, finished_at_ms);

CREATE INDEX pipeline_run_of_pipeline on pipeline_run (project, pipeline, id);

CREATE INDEX "pipeline_run_of_pipeline_by_status" on "pipeline_run" ("project",
  "pipeline",
  "status",
  "id");

CREATE INDEX pipeline_run_of_project on pipeline_run (project, id);

CREATE INDEX pipeline_run_partition on pipeline_run (project, pipeline, partition, id) where partition is not null;

CREATE INDEX prediction_entity on prediction (entity_key) where entity_key is not null;

CREATE INDEX "prediction_hour_revision" on "prediction_hour" ("project",
  "environment",
  "endpoint",
  "model_version_id",
  "arm",
  "revision");

CREATE INDEX prediction_label_model on prediction_label (project, environment, endpoint, model_version_id, id);

CREATE INDEX prediction_label_time on prediction_label (project, environment, endpoint, at_ms, id);

CREATE INDEX prediction_labelled on prediction (project, environment, endpoint, at_ms, id) where label_received_at_ms is not null;

CREATE INDEX "prediction_model_time" on "prediction" ("project",
  "environment",
  "endpoint",
  "model_version_id",
  "at_ms",
  "id");

CREATE INDEX "prediction_time" on "prediction" ("project",
  "environment",
  "endpoint",
  "at_ms",
  "id");

CREATE INDEX prediction_unlabelled on prediction (project, environment, endpoint, at_ms, id) where label_received_at_ms is null;

CREATE INDEX pushed_batch_age on pushed_batch (project, dataset, received_at_ms);

CREATE UNIQUE INDEX pushed_batch_key on pushed_batch (project, dataset, idempotency_key)
     where idempotency_key is not null;

CREATE INDEX pushed_batch_waiting on pushed_batch (project, dataset, id) where payload is not null;

CREATE INDEX pushed_event_age on pushed_event (project, dataset, received_at_ms);

CREATE INDEX pushed_feature_age on pushed_feature (project, view, event_us);

CREATE INDEX pushed_feature_arrival on pushed_feature (project, view, pushed_at_ms);

CREATE INDEX "quarantine_batch_dataset" on "quarantine_batch" ("project",
  "dataset",
  "id");

CREATE INDEX "registered_model_updated" on "registered_model" ("updated_at_ms",
  "name");

CREATE INDEX "restatement_dataset" on "restatement" ("project",
  "dataset");

CREATE INDEX "run_dataset_of" on "run_dataset" ("dataset");

CREATE INDEX run_order on run (experiment_id, lifecycle_stage, start_time desc, run_id);

CREATE INDEX "run_pipeline_run" on "run" ("pipeline_run_id");

CREATE INDEX schedule_due on schedule (project, next_at_ms);

CREATE INDEX sensor_due on sensor (project, next_at_ms);

CREATE INDEX slot_holder on slot (holder);

CREATE INDEX step_output_version on step_output (version_id);

CREATE INDEX step_run_gate on step_run (project, gate_key);

CREATE INDEX step_run_history on step_run (project, pipeline, step, id);

CREATE INDEX step_run_next on step_run (project, priority desc, ready_at_ms, id) where status = 'queued' and pool is null;

CREATE INDEX step_run_next_of_pool on step_run (project, pool, priority desc, ready_at_ms, id) where status = 'queued' and pool is not null;

CREATE INDEX step_run_of_run on step_run (pipeline_run_id, position, matrix_index);

CREATE INDEX step_run_of_step on step_run (pipeline_run_id, step, matrix_index);

CREATE INDEX step_run_open on step_run (pipeline_run_id, status);

CREATE INDEX step_run_pending on step_run (pipeline_run_id, step, matrix_index) where status = 'pending';

CREATE INDEX step_run_queue on step_run (project, status, ready_at_ms);

CREATE INDEX task_next on task (project, created_at_ms, id) where state = 'queued';

CREATE INDEX task_of_attempt on task (attempt_id);

CREATE INDEX task_of_worker on task (worker_id) where state = 'running';

CREATE INDEX "unmatched_label_of" on "unmatched_label" ("project",
  "environment",
  "endpoint",
  "id");

CREATE INDEX "verdict_passed" on "verdict" ("project",
  "passed",
  "version_id");

CREATE INDEX "webhook_delivery_due" on "webhook_delivery" ("state",
  "due_at_ms");

CREATE UNIQUE INDEX worker_name on worker (project, name);
