-- Made by scripts/generate.ts

create table "access_grant" (
  "user_name" text not null,
  "project" text not null,
  "role" text not null
);

create table "access_token" (
  "id" text not null,
  "user_name" text not null,
  "label" text not null,
  "secret_hash" text not null,
  "created_at_ms" bigint not null,
  "expires_at_ms" bigint,
  "last_used_at_ms" bigint,
  "revoked_at_ms" bigint,
  "only_action" text
);

create table "access_user" (
  "name" text not null,
  "kind" text not null,
  "owner" text,
  "emails" text not null,
  "created_at_ms" bigint not null
);

create table "alert" (
  "id" text not null,
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
  "triggered" text not null,
  "explanation" text,
  "close_reason" text
);

create table "alert_notice" (
  "alert_id" text not null,
  "event" text not null,
  "target" text not null,
  "state" text not null,
  "attempts" bigint not null,
  "next_at_ms" bigint not null,
  "last_error" text,
  "delivered_at_ms" bigint
);

create table "approval" (
  "id" text not null,
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
  "envelope" text
);

create table "approval_request" (
  "project" text not null,
  "digest" text not null,
  "environment" text not null,
  "subject_kind" text not null,
  "subject" text not null,
  "version_id" text,
  "reason" text not null,
  "needed" bigint not null,
  "requested_by" text not null,
  "requested_at_ms" bigint not null,
  "closed_at_ms" bigint
);

create table "asset" (
  "project" text not null,
  "name" text not null,
  "kind" text not null,
  "latest_version" bigint not null,
  "created_at_ms" bigint not null,
  "dropped_at_ms" bigint
);

create table "asset_partition" (
  "project" text not null,
  "asset" text not null,
  "partition" text not null,
  "version_id" text not null,
  "step_run_id" text not null,
  "identity" text not null,
  "made_at_ms" bigint not null
);

create table "asset_version" (
  "id" text not null,
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
  "content" text not null,
  "expired_at_ms" bigint
);

create table "asset_version_input" (
  "version_id" text not null,
  "input_version_id" text not null,
  "role" text not null
);

create table "attempt" (
  "id" text not null,
  "step_run_id" text not null,
  "pipeline_run_id" text not null,
  "project" text not null,
  "number" bigint not null,
  "token" bigint not null,
  "owner" text not null,
  "status" text not null,
  "lease_expires_at_ms" bigint not null,
  "claimed_at_ms" bigint not null,
  "started_at_ms" bigint not null,
  "finished_at_ms" bigint,
  "error" text,
  "tracking_run_id" text,
  "token_hash" text,
  "pool" text,
  "pool_slots" bigint
);

create table "backfill" (
  "id" text not null,
  "project" text not null,
  "pipeline" text not null,
  "status" text not null,
  "request" text not null,
  "params" text not null,
  "max_parallel" bigint not null,
  "fail_fast" smallint not null,
  "actor" text not null,
  "created_at_ms" bigint not null,
  "finished_at_ms" bigint,
  "revision" bigint not null
);

create table "backfill_partition" (
  "backfill_id" text not null,
  "position" bigint not null,
  "partition" text not null,
  "status" text not null,
  "pipeline_run_id" text
);

create table "cache_entry" (
  "project" text not null,
  "key" text not null,
  "pipeline" text not null,
  "step" text not null,
  "matrix_index" bigint not null,
  "parts" text not null,
  "outputs" text not null,
  "facts" text,
  "blocks" text,
  "step_run_id" text not null,
  "made_at_ms" bigint not null,
  "results" text
);

create table "captured_file" (
  "project" text not null,
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
  "state" text not null
);

create table "commit_check" (
  "pipeline_run_id" text not null,
  "project" text not null,
  "commit_id" text not null,
  "pipeline" text not null,
  "pull_request" bigint,
  "told" text,
  "refused" text,
  "attempts" bigint not null,
  "next_at_ms" bigint not null,
  "last_error" text
);

create table "dataset" (
  "number" bigint not null,
  "experiment_id" bigint not null,
  "name" text not null,
  "digest" text not null,
  "source_type" text not null,
  "source" text not null,
  "schema" text,
  "profile" text
);

create table "dataset_lock" (
  "project" text not null,
  "asset" text not null,
  "locked_at_ms" bigint not null
);

create table "dataset_order" (
  "version_id" text not null,
  "order_digest" text not null,
  "is_unique" smallint not null
);

create table "dataset_write" (
  "project" text not null,
  "asset" text not null,
  "operation_id" text not null,
  "state" text not null,
  "table_name" text not null,
  "read_version" bigint not null,
  "delta_version" bigint,
  "digest" text,
  "made" text,
  "begun_at_ms" bigint not null,
  "expires_at_ms" bigint not null
);

create table "deadline" (
  "project" text not null,
  "pipeline" text not null,
  "step" text not null,
  "within_ms" bigint,
  "at" text,
  "timezone" text,
  "seen_until_ms" bigint not null,
  "next_at_ms" bigint,
  "revision" bigint not null
);

create table "deployed" (
  "project" text not null,
  "environment" text not null,
  "asset" text not null,
  "deployment_id" text not null,
  "release_id" text not null,
  "version_id" text not null,
  "at_ms" bigint not null
);

create table "deployment" (
  "id" text not null,
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
  "error" text,
  "comment" text
);

create table "endpoint" (
  "project" text not null,
  "environment" text not null,
  "name" text not null,
  "model_version_id" text not null,
  "candidate_version_id" text,
  "previous_version_id" text,
  "strategy" text not null,
  "state" text not null,
  "options" text not null,
  "generation" bigint not null,
  "updated_at_ms" bigint not null
);

create table "endpoint_change" (
  "id" text not null,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "action" text not null,
  "model_version_id" text not null,
  "previous_version_id" text,
  "strategy" text not null,
  "actor" text not null,
  "at_ms" bigint not null,
  "operation_id" text not null
);

create table "endpoint_trial" (
  "id" text not null,
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
  "figures" text not null
);

create table "engine_instance" (
  "id" text not null,
  "project" text not null,
  "host" text not null,
  "pid" bigint not null,
  "process_start" text not null,
  "started_at_ms" bigint not null,
  "lease_expires_at_ms" bigint not null,
  "stopped" smallint not null
);

create table "event" (
  "sequence" bigint not null,
  "at_ms" bigint not null,
  "project" text not null,
  "type" text not null,
  "subject_kind" text not null,
  "subject" text not null,
  "actor" text not null,
  "data" text not null
);

create table "event_log" (
  "id" smallint not null,
  "size" bigint not null,
  "last_sequence" bigint not null,
  "holes" text not null,
  "origin" text,
  "verifier_key" text
);

create table "event_tile" (
  "level" smallint not null,
  "number" bigint not null,
  "hashes" text not null,
  "sequences" text
);

create table "experiment" (
  "experiment_id" bigint not null,
  "project" text not null,
  "name" text not null,
  "artifact_location" text,
  "lifecycle_stage" text not null,
  "creation_time" bigint not null,
  "last_update_time" bigint not null
);

create table "experiment_tag" (
  "experiment_id" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null
);

create table "feature_view_state" (
  "project" text not null,
  "view" text not null,
  "definition_digest" text not null,
  "source_version_id" text not null,
  "source_version" bigint not null,
  "generation" bigint not null,
  "materialized_at_ms" bigint not null,
  "row_count" bigint not null
);

create table "gate" (
  "project" text not null,
  "key" text not null,
  "state" text not null,
  "reason" text not null,
  "changed_at_ms" bigint not null,
  "actor" text not null
);

create table "interval_ledger" (
  "project" text not null,
  "dataset" text not null,
  "delta_version" bigint not null,
  "ledger" text not null,
  "at_ms" bigint not null
);

create table "late" (
  "project" text not null,
  "pipeline" text not null,
  "step" text not null,
  "subject" text not null,
  "from_ms" bigint not null,
  "due_at_ms" bigint not null
);

create table "log_blob" (
  "id" bigint not null,
  "digest" text not null,
  "size_bytes" bigint not null
);

create table "log_chunk" (
  "step_run_id" text not null,
  "attempt_number" bigint not null,
  "sequence" bigint not null,
  "stream" text not null,
  "text" text not null,
  "at_ms" bigint not null
);

create table "log_segment" (
  "step_run_id" text not null,
  "attempt_number" bigint not null,
  "first_sequence" bigint not null,
  "last_sequence" bigint not null,
  "blob_id" bigint not null,
  "start_byte" bigint not null,
  "size_bytes" bigint not null,
  "stdout_characters" bigint not null,
  "stderr_characters" bigint not null
);

create table "logged_model" (
  "id" text not null,
  "experiment_id" text not null,
  "name" text not null,
  "artifact_uri" text not null,
  "created_at_ms" bigint not null,
  "updated_at_ms" bigint not null,
  "status" text not null,
  "model_type" text,
  "source_run_id" text,
  "deleted" smallint not null,
  "deleted_at_ms" bigint
);

create table "logged_model_metric" (
  "logged_model_id" text not null,
  "key" text not null,
  "dataset_name" text not null,
  "dataset_digest" text not null,
  "run_id" text not null,
  "value" double precision not null,
  "is_nan" smallint not null,
  "timestamp_ms" bigint not null,
  "step" bigint not null
);

create table "logged_model_param" (
  "logged_model_id" text not null,
  "key" text not null,
  "value" text not null
);

create table "logged_model_tag" (
  "logged_model_id" text not null,
  "key" text not null,
  "value" text not null
);

create table "model_version" (
  "id" text not null,
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
  "actor" text not null
);

create table "model_version_tag" (
  "model_version_id" text not null,
  "key" text not null,
  "value" text not null,
  "position" text not null
);

create table "monitor" (
  "project" text not null,
  "environment" text not null,
  "name" text not null,
  "endpoint" text not null,
  "declaration" text not null,
  "file" text not null,
  "updated_at_ms" bigint not null
);

create table "monitor_score" (
  "project" text not null,
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
  "method" text not null
);

create table "monitor_window" (
  "project" text not null,
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
  "corrections" bigint not null
);

create table "objective_count" (
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "objective" text not null,
  "span" text not null,
  "start_ms" bigint not null,
  "good" bigint not null,
  "total" bigint not null
);

create table "online_feature" (
  "project" text not null,
  "view" text not null,
  "generation" bigint not null,
  "entity_key" text not null,
  "event_us" bigint not null,
  "created_us" bigint,
  "payload" text not null
);

create table "pipeline" (
  "project" text not null,
  "name" text not null,
  "digest" text not null,
  "file" text not null,
  "load" text not null,
  "updated_at_ms" bigint not null
);

create table "pipeline_definition" (
  "project" text not null,
  "digest" text not null,
  "name" text not null,
  "content" text not null,
  "created_at_ms" bigint not null
);

create table "pipeline_pause" (
  "project" text not null,
  "pipeline" text not null,
  "paused_at_ms" bigint not null,
  "actor" text not null,
  "reason" text
);

create table "pipeline_run" (
  "id" text not null,
  "project" text not null,
  "pipeline" text not null,
  "definition_digest" text not null,
  "status" text not null,
  "params" text not null,
  "selection" text not null,
  "trigger_kind" text not null,
  "trigger_subject" text,
  "trigger_cause" text not null,
  "actor" text not null,
  "source" text,
  "created_at_ms" bigint not null,
  "started_at_ms" bigint,
  "finished_at_ms" bigint,
  "cancel_requested" smallint not null,
  "blocked" text,
  "error" text,
  "revision" bigint not null,
  "concurrency_group" text,
  "concurrency_limit" bigint,
  "partition" text,
  "priority" bigint not null
);

create table "pool" (
  "project" text not null,
  "name" text not null,
  "slots" bigint not null,
  "description" text,
  "updated_at_ms" bigint not null
);

create table "prediction" (
  "id" text not null,
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
  "feature_status" text,
  "propensity" double precision
);

create table "prediction_history" (
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "folder" text not null,
  "delta_version" bigint not null,
  "cleared_version" bigint not null,
  "holder" text,
  "held_until_ms" bigint not null
);

create table "prediction_hour" (
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "model_version_id" text not null,
  "arm" text not null,
  "hour_ms" bigint not null,
  "predictions" bigint not null,
  "labelled" bigint not null,
  "corrections" bigint not null,
  "last_received_at_ms" bigint not null,
  "revision" bigint not null
);

create table "prediction_label" (
  "id" text not null,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "model_version_id" text not null,
  "arm" text not null,
  "at_ms" bigint not null,
  "received_at_ms" bigint not null,
  "prediction" double precision,
  "prediction_text" text,
  "label" double precision,
  "label_text" text,
  "label_at_ms" bigint not null,
  "label_received_at_ms" bigint not null,
  "label_corrections" bigint not null,
  "propensity" double precision
);

create table "prediction_total" (
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "model_version_id" text not null,
  "arm" text not null,
  "predictions" bigint not null,
  "labelled" bigint not null,
  "corrections" bigint not null,
  "first_at_ms" bigint not null,
  "last_at_ms" bigint not null,
  "revision" bigint not null
);

create table "pull_request" (
  "project" text not null,
  "number" bigint not null,
  "preview" text not null,
  "title" text not null,
  "author" text not null,
  "branch" text not null,
  "base" text not null,
  "commit_id" text not null,
  "url" text not null,
  "outside" smallint not null,
  "state" text not null,
  "opened_at_ms" bigint not null,
  "updated_at_ms" bigint not null,
  "removed_at_ms" bigint
);

create table "push_delivery" (
  "project" text not null,
  "id" text not null,
  "branch" text not null,
  "commit_id" text not null,
  "pusher" text not null,
  "at_ms" bigint not null,
  "answer" text not null
);

create table "push_demand" (
  "project" text not null,
  "dataset" text not null,
  "asked_at_ms" bigint not null
);

create table "pushed_batch" (
  "id" text not null,
  "project" text not null,
  "dataset" text not null,
  "idempotency_key" text,
  "body_digest" text not null,
  "events" bigint not null,
  "duplicates" bigint not null,
  "size_bytes" bigint not null,
  "payload" text,
  "actor" text not null,
  "received_at_ms" bigint not null
);

create table "pushed_event" (
  "project" text not null,
  "dataset" text not null,
  "event_key" text not null,
  "received_at_ms" bigint not null
);

create table "pushed_feature" (
  "project" text not null,
  "view" text not null,
  "entity_key" text not null,
  "key_columns" text not null,
  "event_us" bigint not null,
  "created_us" bigint,
  "payload" text not null,
  "pushed_at_ms" bigint not null
);

create table "quarantine_batch" (
  "id" text not null,
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
  "superseded" bigint not null,
  "closed_as" text,
  "closed_by" text,
  "closed_reason" text,
  "closed_at_ms" bigint
);

create table "quarantine_row" (
  "batch_id" text not null,
  "row_number" bigint not null,
  "state" text not null,
  "actor" text not null,
  "reason" text not null,
  "at_ms" bigint not null
);

create table "registered_model" (
  "id" text not null,
  "project" text not null,
  "name" text not null,
  "description" text,
  "created_at_ms" bigint not null,
  "updated_at_ms" bigint not null,
  "last_version" bigint not null,
  "is_prompt" smallint not null
);

create table "registered_model_alias" (
  "registered_model_id" text not null,
  "alias" text not null,
  "version" bigint not null
);

create table "registered_model_tag" (
  "registered_model_id" text not null,
  "key" text not null,
  "value" text not null,
  "position" text not null
);

create table "release" (
  "id" text not null,
  "project" text not null,
  "environment" text not null,
  "number" bigint not null,
  "asset" text not null,
  "version_id" text not null,
  "created_at_ms" bigint not null,
  "created_by" text not null,
  "settings" text not null
);

create table "release_version" (
  "release_id" text not null,
  "version_id" text not null,
  "asset" text not null,
  "kind" text not null,
  "digest" text not null,
  "role" text not null
);

create table "restatement" (
  "id" text not null,
  "project" text not null,
  "dataset" text not null,
  "from_ms" bigint,
  "to_ms" bigint,
  "actor" text not null,
  "at_ms" bigint not null
);

create table "run" (
  "number" bigint not null,
  "run_id" text not null,
  "experiment_id" bigint not null,
  "project" text not null,
  "run_name" text not null,
  "user_id" text not null,
  "status" text not null,
  "start_time" bigint not null,
  "end_time" bigint,
  "artifact_uri" text not null,
  "lifecycle_stage" text not null,
  "attempt_id" text,
  "pipeline_run_id" text
);

create table "run_dataset" (
  "run" bigint not null,
  "dataset" bigint not null,
  "context" text,
  "sequence" bigint not null
);

create table "run_dataset_tag" (
  "run" bigint not null,
  "dataset" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null
);

create table "run_latest_metric" (
  "run" bigint not null,
  "key" text not null,
  "timestamp_ms" bigint not null,
  "step" bigint not null,
  "value" double precision not null,
  "is_nan" smallint not null,
  "sequence" bigint not null
);

create table "run_metric" (
  "run" bigint not null,
  "key" text not null,
  "timestamp_ms" bigint not null,
  "step" bigint not null,
  "value" double precision not null,
  "is_nan" smallint not null
);

create table "run_model" (
  "run" bigint not null,
  "direction" text not null,
  "model_id" text not null,
  "step" bigint not null,
  "sequence" bigint not null
);

create table "run_param" (
  "run" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null
);

create table "run_step" (
  "pipeline_run_id" text not null,
  "step" text not null,
  "position" bigint not null,
  "kind" text not null,
  "pending" bigint not null,
  "remaining" bigint not null,
  "dependents" text not null,
  "outcome" text,
  "reason" text,
  "own_condition" smallint not null,
  "for_each" smallint not null,
  "max_parallel" bigint,
  "fail_fast" smallint not null
);

create table "run_tag" (
  "run" bigint not null,
  "key" text not null,
  "value" text not null,
  "sequence" bigint not null
);

create table "schedule" (
  "project" text not null,
  "pipeline" text not null,
  "position" bigint not null,
  "cron" text not null,
  "timezone" text not null,
  "missed" text not null,
  "next_at_ms" bigint not null,
  "last_at_ms" bigint
);

create table "schema_migration" (
  "number" bigint not null,
  "name" text not null,
  "applied_at_ms" bigint not null
);

create table "sensor" (
  "project" text not null,
  "pipeline" text not null,
  "key" text not null,
  "position" bigint not null,
  "subject" text not null,
  "every_ms" bigint not null,
  "next_at_ms" bigint not null,
  "revision" bigint not null,
  "state" text,
  "checked_at_ms" bigint,
  "fired_at_ms" bigint,
  "fired_run" text,
  "fire_count" bigint not null,
  "error" text,
  "error_since_ms" bigint
);

create table "signing_key" (
  "id" text not null,
  "user_name" text not null,
  "public_key" text not null,
  "label" text not null,
  "created_at_ms" bigint not null,
  "revoked_at_ms" bigint
);

create table "slot" (
  "project" text not null,
  "group_name" text not null,
  "holder" text not null,
  "step_run_id" text not null,
  "expires_at_ms" bigint not null,
  "acquired_at_ms" bigint not null
);

create table "slot_group" (
  "project" text not null,
  "group_name" text not null,
  "revision" bigint not null
);

create table "step_input" (
  "step_run_id" text not null,
  "asset" text not null,
  "role" text not null,
  "version_id" text not null
);

create table "step_output" (
  "step_run_id" text not null,
  "asset" text not null,
  "version_id" text not null,
  "created" smallint not null
);

create table "step_result" (
  "step_run_id" text not null,
  "outputs" text not null
);

create table "step_run" (
  "id" text not null,
  "pipeline_run_id" text not null,
  "project" text not null,
  "pipeline" text not null,
  "step" text not null,
  "kind" text not null,
  "position" bigint not null,
  "matrix_index" bigint not null,
  "matrix" text,
  "status" text not null,
  "cached" smallint not null,
  "reason" text,
  "facts" text,
  "error" text,
  "progress" text,
  "gate_key" text,
  "queued_at_ms" bigint,
  "ready_at_ms" bigint,
  "started_at_ms" bigint,
  "finished_at_ms" bigint,
  "attempt_count" bigint not null,
  "failure_count" bigint not null,
  "lost_count" bigint not null,
  "token" bigint not null,
  "concurrency_group" text,
  "concurrency_limit" bigint,
  "cache_key" text,
  "own_condition" smallint not null,
  "priority" bigint not null,
  "pool" text,
  "pool_slots" bigint
);

create table "task" (
  "id" text not null,
  "attempt_id" text not null,
  "project" text not null,
  "executor" text not null,
  "state" text not null,
  "spec" text not null,
  "manifest" text not null,
  "needs" text not null,
  "lease_ms" bigint not null,
  "worker_id" text,
  "worker_name" text,
  "token" bigint not null,
  "lease_expires_at_ms" bigint,
  "cancel_asked" bigint not null,
  "log_pieces" bigint not null,
  "result" text,
  "created_at_ms" bigint not null,
  "claimed_at_ms" bigint,
  "ended_at_ms" bigint,
  "told_characters" integer not null
);

create table "task_log" (
  "task_id" text not null,
  "number" bigint not null,
  "text" text not null
);

create table "trigger_subscription" (
  "project" text not null,
  "on_kind" text not null,
  "pattern" text not null,
  "wildcard" smallint not null,
  "pipeline" text not null
);

create table "unmatched_label" (
  "id" text not null,
  "project" text not null,
  "environment" text not null,
  "endpoint" text not null,
  "label_key" text not null,
  "label" text not null,
  "reason" text not null,
  "received_at_ms" bigint not null
);

create table "verdict" (
  "version_id" text not null,
  "project" text not null,
  "passed" smallint not null,
  "at_ms" bigint not null,
  "step_run_id" text,
  "content" text not null
);

create table "webhook" (
  "id" text not null,
  "name" text not null,
  "description" text,
  "url" text not null,
  "events" text not null,
  "secret" text,
  "status" text not null,
  "created_at_ms" bigint not null,
  "updated_at_ms" bigint not null
);

create table "webhook_delivery" (
  "id" text not null,
  "webhook_id" text not null,
  "body" text not null,
  "state" text not null,
  "attempts" bigint not null,
  "due_at_ms" bigint not null,
  "created_at_ms" bigint not null,
  "response_status" bigint,
  "error" text
);

create table "worker" (
  "project" text not null,
  "id" text not null,
  "name" text not null,
  "executor" text,
  "host" text not null,
  "version" text not null,
  "offer" text not null,
  "labels" text not null,
  "actor" text not null,
  "started_at_ms" bigint not null,
  "seen_at_ms" bigint not null
);

CREATE UNIQUE INDEX access_grant_key ON access_grant USING btree (user_name, project);

CREATE UNIQUE INDEX access_token_pkey ON access_token USING btree (id);

CREATE INDEX access_token_user ON access_token USING btree (user_name);

CREATE UNIQUE INDEX access_user_pkey ON access_user USING btree (name);

CREATE INDEX alert_notice_due ON alert_notice USING btree (state, next_at_ms);

CREATE UNIQUE INDEX alert_notice_pkey ON alert_notice USING btree (alert_id, event, target);

CREATE INDEX alert_of ON alert USING btree (project, state, id);

CREATE INDEX alert_of_endpoint ON alert USING btree (project, environment, endpoint, state, id);

CREATE UNIQUE INDEX alert_pkey ON alert USING btree (id);

CREATE UNIQUE INDEX alert_window ON alert USING btree (project, environment, monitor, metric, subject, segment, window_start_ms);

CREATE INDEX approval_digest ON approval USING btree (project, digest);

CREATE UNIQUE INDEX approval_pkey ON approval USING btree (id);

CREATE UNIQUE INDEX approval_request_key ON approval_request USING btree (project, digest, environment);

CREATE UNIQUE INDEX asset_key ON asset USING btree (project, name);

CREATE INDEX asset_of_kind ON asset USING btree (project, kind, name);

CREATE UNIQUE INDEX asset_partition_pkey ON asset_partition USING btree (project, asset, partition);

CREATE INDEX asset_version_digest ON asset_version USING btree (project, digest);

CREATE INDEX asset_version_expired ON asset_version USING btree (project, asset) WHERE (expired_at_ms IS NOT NULL);

CREATE UNIQUE INDEX asset_version_input_key ON asset_version_input USING btree (version_id, input_version_id, role);

CREATE INDEX asset_version_input_of ON asset_version_input USING btree (input_version_id);

CREATE UNIQUE INDEX asset_version_number ON asset_version USING btree (project, asset, version);

CREATE UNIQUE INDEX asset_version_pkey ON asset_version USING btree (id);

CREATE INDEX asset_version_step_run ON asset_version USING btree (step_run_id);

CREATE INDEX attempt_in_pool ON attempt USING btree (project, pool) WHERE ((status = 'running'::text) AND (pool IS NOT NULL));

CREATE INDEX attempt_lease ON attempt USING btree (project, status, lease_expires_at_ms);

CREATE INDEX attempt_of_pipeline_run ON attempt USING btree (pipeline_run_id, status);

CREATE INDEX attempt_of_step_run ON attempt USING btree (step_run_id, number);

CREATE INDEX attempt_owner ON attempt USING btree (owner, status);

CREATE UNIQUE INDEX attempt_pkey ON attempt USING btree (id);

CREATE INDEX backfill_open ON backfill USING btree (project, status, id);

CREATE UNIQUE INDEX backfill_partition_pkey ON backfill_partition USING btree (backfill_id, "position");

CREATE INDEX backfill_partition_run ON backfill_partition USING btree (pipeline_run_id) WHERE (pipeline_run_id IS NOT NULL);

CREATE INDEX backfill_partition_status ON backfill_partition USING btree (backfill_id, status, "position");

CREATE INDEX backfill_pipeline ON backfill USING btree (project, pipeline, id);

CREATE UNIQUE INDEX backfill_pkey ON backfill USING btree (id);

CREATE INDEX cache_entry_of_step ON cache_entry USING btree (project, pipeline, step, matrix_index, made_at_ms);

CREATE UNIQUE INDEX cache_entry_pkey ON cache_entry USING btree (project, key);

CREATE UNIQUE INDEX captured_file_key ON captured_file USING btree (project, dataset, digest);

CREATE INDEX commit_check_due ON commit_check USING btree (project, next_at_ms);

CREATE UNIQUE INDEX commit_check_pkey ON commit_check USING btree (pipeline_run_id);

CREATE INDEX commit_check_pull_request ON commit_check USING btree (project, pull_request);

CREATE UNIQUE INDEX dataset_identity ON dataset USING btree (experiment_id, name, digest);

CREATE UNIQUE INDEX dataset_lock_key ON dataset_lock USING btree (project, asset);

CREATE UNIQUE INDEX dataset_order_key ON dataset_order USING btree (version_id, order_digest);

CREATE UNIQUE INDEX dataset_pkey ON dataset USING btree (number);

CREATE UNIQUE INDEX dataset_write_key ON dataset_write USING btree (project, asset, operation_id);

CREATE INDEX dataset_write_state ON dataset_write USING btree (project, asset, state);

CREATE UNIQUE INDEX deadline_pkey ON deadline USING btree (project, pipeline, step);

CREATE UNIQUE INDEX deployed_key ON deployed USING btree (project, environment, asset);

CREATE INDEX deployment_history ON deployment USING btree (project, environment, id);

CREATE UNIQUE INDEX deployment_idempotency ON deployment USING btree (project, idempotency_key);

CREATE INDEX deployment_of_release ON deployment USING btree (release_id, id);

CREATE INDEX deployment_of_target ON deployment USING btree (project, environment, asset, status, id);

CREATE UNIQUE INDEX deployment_pkey ON deployment USING btree (id);

CREATE INDEX endpoint_change_of ON endpoint_change USING btree (project, environment, endpoint, id);

CREATE UNIQUE INDEX endpoint_change_operation_id_key ON endpoint_change USING btree (operation_id);

CREATE UNIQUE INDEX endpoint_change_pkey ON endpoint_change USING btree (id);

CREATE UNIQUE INDEX endpoint_key ON endpoint USING btree (project, environment, name);

CREATE INDEX endpoint_trial_endpoint ON endpoint_trial USING btree (project, environment, endpoint, id);

CREATE UNIQUE INDEX endpoint_trial_pkey ON endpoint_trial USING btree (id);

CREATE UNIQUE INDEX engine_instance_pkey ON engine_instance USING btree (id);

CREATE INDEX engine_not_stopped ON engine_instance USING btree (project, stopped, id);

CREATE UNIQUE INDEX event_log_pkey ON event_log USING btree (id);

CREATE UNIQUE INDEX event_pkey ON event USING btree (sequence);

CREATE INDEX event_subject ON event USING btree (subject_kind, subject, sequence);

CREATE UNIQUE INDEX event_tile_pkey ON event_tile USING btree (level, number);

CREATE UNIQUE INDEX experiment_name_key ON experiment USING btree (name);

CREATE UNIQUE INDEX experiment_pkey ON experiment USING btree (experiment_id);

CREATE UNIQUE INDEX experiment_tag_key ON experiment_tag USING btree (experiment_id, key);

CREATE UNIQUE INDEX feature_view_state_key ON feature_view_state USING btree (project, view);

CREATE UNIQUE INDEX gate_pkey ON gate USING btree (project, key);

CREATE UNIQUE INDEX interval_ledger_key ON interval_ledger USING btree (project, dataset);

CREATE UNIQUE INDEX late_pkey ON late USING btree (project, pipeline, step, subject);

CREATE UNIQUE INDEX log_blob_pkey ON log_blob USING btree (id);

CREATE UNIQUE INDEX log_chunk_pkey ON log_chunk USING btree (step_run_id, attempt_number, sequence);

CREATE INDEX log_segment_of_blob ON log_segment USING btree (blob_id);

CREATE UNIQUE INDEX log_segment_pkey ON log_segment USING btree (step_run_id, attempt_number, first_sequence);

CREATE INDEX logged_model_experiment ON logged_model USING btree (experiment_id, created_at_ms);

CREATE UNIQUE INDEX logged_model_metric_key ON logged_model_metric USING btree (logged_model_id, key, run_id, timestamp_ms, step, dataset_name, dataset_digest);

CREATE UNIQUE INDEX logged_model_param_key ON logged_model_param USING btree (logged_model_id, key);

CREATE UNIQUE INDEX logged_model_pkey ON logged_model USING btree (id);

CREATE INDEX logged_model_run ON logged_model USING btree (source_run_id);

CREATE UNIQUE INDEX logged_model_tag_key ON logged_model_tag USING btree (logged_model_id, key);

CREATE INDEX model_version_asset ON model_version USING btree (asset_version_id);

CREATE UNIQUE INDEX model_version_number ON model_version USING btree (registered_model_id, version);

CREATE UNIQUE INDEX model_version_pkey ON model_version USING btree (id);

CREATE INDEX model_version_run ON model_version USING btree (run_id);

CREATE UNIQUE INDEX model_version_tag_key ON model_version_tag USING btree (model_version_id, key);

CREATE INDEX model_version_updated ON model_version USING btree (updated_at_ms);

CREATE UNIQUE INDEX monitor_key ON monitor USING btree (project, environment, name);

CREATE UNIQUE INDEX monitor_score_key ON monitor_score USING btree (project, environment, endpoint, size, start_ms, metric, subject, segment);

CREATE UNIQUE INDEX monitor_window_key ON monitor_window USING btree (project, environment, endpoint, size, start_ms);

CREATE UNIQUE INDEX objective_count_pkey ON objective_count USING btree (project, environment, endpoint, objective, span, start_ms);

CREATE UNIQUE INDEX online_feature_key ON online_feature USING btree (project, view, generation, entity_key);

CREATE UNIQUE INDEX pipeline_definition_pkey ON pipeline_definition USING btree (project, digest);

CREATE UNIQUE INDEX pipeline_pause_pkey ON pipeline_pause USING btree (project, pipeline);

CREATE UNIQUE INDEX pipeline_pkey ON pipeline USING btree (project, name);

CREATE INDEX pipeline_run_by_group ON pipeline_run USING btree (project, concurrency_group, status, id);

CREATE INDEX pipeline_run_by_status ON pipeline_run USING btree (project, status, id);

CREATE INDEX pipeline_run_created ON pipeline_run USING btree (project, pipeline, created_at_ms);

CREATE INDEX pipeline_run_finished ON pipeline_run USING btree (project, finished_at_ms);

CREATE INDEX pipeline_run_of_pipeline ON pipeline_run USING btree (project, pipeline, id);

CREATE INDEX pipeline_run_of_pipeline_by_status ON pipeline_run USING btree (project, pipeline, status, id);

CREATE INDEX pipeline_run_of_project ON pipeline_run USING btree (project, id);

CREATE INDEX pipeline_run_partition ON pipeline_run USING btree (project, pipeline, partition, id) WHERE (partition IS NOT NULL);

CREATE UNIQUE INDEX pipeline_run_pkey ON pipeline_run USING btree (id);

CREATE UNIQUE INDEX pool_pkey ON pool USING btree (project, name);

CREATE INDEX prediction_entity ON prediction USING btree (entity_key) WHERE (entity_key IS NOT NULL);

CREATE UNIQUE INDEX prediction_history_pkey ON prediction_history USING btree (project, environment, endpoint);

CREATE UNIQUE INDEX prediction_hour_key ON prediction_hour USING btree (project, environment, endpoint, hour_ms, model_version_id, arm);

CREATE INDEX prediction_hour_revision ON prediction_hour USING btree (project, environment, endpoint, model_version_id, arm, revision);

CREATE INDEX prediction_label_model ON prediction_label USING btree (project, environment, endpoint, model_version_id, id);

CREATE UNIQUE INDEX prediction_label_pkey ON prediction_label USING btree (id);

CREATE INDEX prediction_label_time ON prediction_label USING btree (project, environment, endpoint, at_ms, id);

CREATE INDEX prediction_labelled ON prediction USING btree (project, environment, endpoint, at_ms, id) WHERE (label_received_at_ms IS NOT NULL);

CREATE INDEX prediction_model_time ON prediction USING btree (project, environment, endpoint, model_version_id, at_ms, id);

CREATE UNIQUE INDEX prediction_pkey ON prediction USING btree (id);

CREATE INDEX prediction_time ON prediction USING btree (project, environment, endpoint, at_ms, id);

CREATE UNIQUE INDEX prediction_total_key ON prediction_total USING btree (project, environment, endpoint, model_version_id, arm);

CREATE INDEX prediction_unlabelled ON prediction USING btree (project, environment, endpoint, at_ms, id) WHERE (label_received_at_ms IS NULL);

CREATE UNIQUE INDEX pull_request_pkey ON pull_request USING btree (project, number);

CREATE UNIQUE INDEX push_delivery_key ON push_delivery USING btree (project, id);

CREATE UNIQUE INDEX push_demand_pkey ON push_demand USING btree (project, dataset);

CREATE INDEX pushed_batch_age ON pushed_batch USING btree (project, dataset, received_at_ms);

CREATE UNIQUE INDEX pushed_batch_key ON pushed_batch USING btree (project, dataset, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE UNIQUE INDEX pushed_batch_pkey ON pushed_batch USING btree (id);

CREATE INDEX pushed_batch_waiting ON pushed_batch USING btree (project, dataset, id) WHERE (payload IS NOT NULL);

CREATE INDEX pushed_event_age ON pushed_event USING btree (project, dataset, received_at_ms);

CREATE UNIQUE INDEX pushed_event_pkey ON pushed_event USING btree (project, dataset, event_key);

CREATE INDEX pushed_feature_age ON pushed_feature USING btree (project, view, event_us);

CREATE INDEX pushed_feature_arrival ON pushed_feature USING btree (project, view, pushed_at_ms);

CREATE UNIQUE INDEX pushed_feature_pkey ON pushed_feature USING btree (project, view, entity_key);

CREATE INDEX quarantine_batch_dataset ON quarantine_batch USING btree (project, dataset, id);

CREATE UNIQUE INDEX quarantine_batch_pkey ON quarantine_batch USING btree (id);

CREATE UNIQUE INDEX quarantine_row_key ON quarantine_row USING btree (batch_id, row_number);

CREATE UNIQUE INDEX registered_model_alias_key ON registered_model_alias USING btree (registered_model_id, alias);

CREATE UNIQUE INDEX registered_model_name_key ON registered_model USING btree (name);

CREATE UNIQUE INDEX registered_model_pkey ON registered_model USING btree (id);

CREATE UNIQUE INDEX registered_model_tag_key ON registered_model_tag USING btree (registered_model_id, key);

CREATE INDEX registered_model_updated ON registered_model USING btree (updated_at_ms, name);

CREATE UNIQUE INDEX release_number ON release USING btree (project, environment, number);

CREATE UNIQUE INDEX release_pkey ON release USING btree (id);

CREATE UNIQUE INDEX release_version_key ON release_version USING btree (release_id, version_id);

CREATE INDEX restatement_dataset ON restatement USING btree (project, dataset);

CREATE UNIQUE INDEX restatement_pkey ON restatement USING btree (id);

CREATE UNIQUE INDEX run_attempt_id_key ON run USING btree (attempt_id);

CREATE UNIQUE INDEX run_dataset_key ON run_dataset USING btree (run, dataset);

CREATE INDEX run_dataset_of ON run_dataset USING btree (dataset);

CREATE UNIQUE INDEX run_dataset_tag_key ON run_dataset_tag USING btree (run, dataset, key);

CREATE UNIQUE INDEX run_latest_metric_key ON run_latest_metric USING btree (run, key);

CREATE UNIQUE INDEX run_metric_key ON run_metric USING btree (run, key, timestamp_ms, step, value, is_nan);

CREATE UNIQUE INDEX run_model_key ON run_model USING btree (run, direction, model_id);

CREATE INDEX run_order ON run USING btree (experiment_id, lifecycle_stage, start_time DESC, run_id);

CREATE UNIQUE INDEX run_param_key ON run_param USING btree (run, key);

CREATE INDEX run_pipeline_run ON run USING btree (pipeline_run_id);

CREATE UNIQUE INDEX run_pkey ON run USING btree (number);

CREATE UNIQUE INDEX run_run_id_key ON run USING btree (run_id);

CREATE UNIQUE INDEX run_step_pkey ON run_step USING btree (pipeline_run_id, step);

CREATE UNIQUE INDEX run_tag_key ON run_tag USING btree (run, key);

CREATE INDEX schedule_due ON schedule USING btree (project, next_at_ms);

CREATE UNIQUE INDEX schedule_pkey ON schedule USING btree (project, pipeline, "position");

CREATE UNIQUE INDEX schema_migration_pkey ON schema_migration USING btree (number);

CREATE INDEX sensor_due ON sensor USING btree (project, next_at_ms);

CREATE UNIQUE INDEX sensor_pkey ON sensor USING btree (project, pipeline, key);

CREATE UNIQUE INDEX signing_key_pkey ON signing_key USING btree (id);

CREATE UNIQUE INDEX slot_group_pkey ON slot_group USING btree (project, group_name);

CREATE INDEX slot_holder ON slot USING btree (holder);

CREATE UNIQUE INDEX slot_pkey ON slot USING btree (project, group_name, holder);

CREATE UNIQUE INDEX step_input_pkey ON step_input USING btree (step_run_id, asset, role);

CREATE UNIQUE INDEX step_output_pkey ON step_output USING btree (step_run_id, asset);

CREATE INDEX step_output_version ON step_output USING btree (version_id);

CREATE UNIQUE INDEX step_result_pkey ON step_result USING btree (step_run_id);

CREATE INDEX step_run_gate ON step_run USING btree (project, gate_key);

CREATE INDEX step_run_history ON step_run USING btree (project, pipeline, step, id);

CREATE INDEX step_run_next ON step_run USING btree (project, priority DESC, ready_at_ms, id) WHERE ((status = 'queued'::text) AND (pool IS NULL));

CREATE INDEX step_run_next_of_pool ON step_run USING btree (project, pool, priority DESC, ready_at_ms, id) WHERE ((status = 'queued'::text) AND (pool IS NOT NULL));

CREATE INDEX step_run_of_run ON step_run USING btree (pipeline_run_id, "position", matrix_index);

CREATE INDEX step_run_of_step ON step_run USING btree (pipeline_run_id, step, matrix_index);

CREATE INDEX step_run_open ON step_run USING btree (pipeline_run_id, status);

CREATE INDEX step_run_pending ON step_run USING btree (pipeline_run_id, step, matrix_index) WHERE (status = 'pending'::text);

CREATE UNIQUE INDEX step_run_pkey ON step_run USING btree (id);

CREATE INDEX step_run_queue ON step_run USING btree (project, status, ready_at_ms);

CREATE UNIQUE INDEX task_log_pkey ON task_log USING btree (task_id, number);

CREATE INDEX task_next ON task USING btree (project, created_at_ms, id) WHERE (state = 'queued'::text);

CREATE INDEX task_of_attempt ON task USING btree (attempt_id);

CREATE INDEX task_of_worker ON task USING btree (worker_id) WHERE (state = 'running'::text);

CREATE UNIQUE INDEX task_pkey ON task USING btree (id);

CREATE UNIQUE INDEX trigger_subscription_pkey ON trigger_subscription USING btree (project, on_kind, pattern, pipeline);

CREATE INDEX unmatched_label_of ON unmatched_label USING btree (project, environment, endpoint, id);

CREATE UNIQUE INDEX unmatched_label_pkey ON unmatched_label USING btree (id);

CREATE INDEX verdict_passed ON verdict USING btree (project, passed, version_id);

CREATE UNIQUE INDEX verdict_pkey ON verdict USING btree (version_id);

CREATE INDEX webhook_delivery_due ON webhook_delivery USING btree (state, due_at_ms);

CREATE UNIQUE INDEX webhook_delivery_pkey ON webhook_delivery USING btree (id);

CREATE UNIQUE INDEX webhook_pkey ON webhook USING btree (id);

CREATE UNIQUE INDEX worker_name ON worker USING btree (project, name);

CREATE UNIQUE INDEX worker_pkey ON worker USING btree (project, id);
