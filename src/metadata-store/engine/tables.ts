/** Statuses of a pipeline run. The last three and `succeeded` hold no work; `interrupted` waits for a resume. */
export const PIPELINE_RUN_STATUSES = [
  "queued",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "cancelled",
  "interrupted",
] as const;
export type PipelineRunStatus = (typeof PIPELINE_RUN_STATUSES)[number];

/** Statuses of a step run: pending waits for other steps, queued for a worker, waiting for a gate. */
export const STEP_RUN_STATUSES = [
  "pending",
  "queued",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "skipped",
  "cancelled",
] as const;
export type StepRunStatus = (typeof STEP_RUN_STATUSES)[number];

/** Statuses of an attempt. `lost`: its lease ended without a result; `interrupted`: its engine was stopped. */
export const ATTEMPT_STATUSES = [
  "running",
  "succeeded",
  "failed",
  "waiting",
  "cancelled",
  "lost",
  "interrupted",
] as const;
export type AttemptStatus = (typeof ATTEMPT_STATUSES)[number];

/** What started a pipeline run. */
export const TRIGGER_KINDS = [
  "manual",
  "schedule",
  "data",
  "alert",
  "push",
  "pull_request",
  "webhook",
  "backfill",
  "sensor",
] as const;
export type TriggerKind = (typeof TRIGGER_KINDS)[number];

/** Statuses of a backfill. A paused one ends what it has begun and begins nothing. */
export const BACKFILL_STATUSES = ["running", "paused", "succeeded", "failed", "cancelled"] as const;
export type BackfillStatus = (typeof BACKFILL_STATUSES)[number];

/** Statuses of one partition of a backfill. */
export const BACKFILL_PARTITION_STATUSES = ["pending", "running", "succeeded", "failed", "cancelled"] as const;
export type BackfillPartitionStatus = (typeof BACKFILL_PARTITION_STATUSES)[number];

/** What happens to ticks that passed while nobody looked. */
const MISSED_TICK_RULES = ["skip", "once", "all"] as const;
export type MissedTickRule = (typeof MISSED_TICK_RULES)[number];

export interface PipelineTables {
  pipeline_definition: { project: string; digest: string; name: string; content: string; created_at_ms: number };
  pipeline: { project: string; name: string; digest: string; file: string; load: string; updated_at_ms: number };
  trigger_subscription: { project: string; on_kind: TriggerKind; pattern: string; wildcard: number; pipeline: string };
  schedule: {
    project: string;
    pipeline: string;
    position: number;
    cron: string;
    timezone: string;
    missed: MissedTickRule;
    next_at_ms: number;
    last_at_ms: number | null;
  };
  pipeline_run: {
    id: string;
    project: string;
    pipeline: string;
    definition_digest: string;
    status: PipelineRunStatus;
    /** JSON */
    params: string;
    /** JSON: `{from?, only?}` */
    selection: string;
    trigger_kind: TriggerKind;
    trigger_subject: string | null;
    /** JSON: what caused it, as the one that fired it says. */
    trigger_cause: string;
    actor: string;
    /** JSON: another folder and commit than the project's own, for runs of a pushed commit. */
    source: string | null;
    created_at_ms: number;
    started_at_ms: number | null;
    finished_at_ms: number | null;
    cancel_requested: number;
    blocked: string | null;
    /** JSON */
    error: string | null;
    /** Grows with every transition; updating it first serializes the transitions of one run. */
    revision: number;
    concurrency_group: string | null;
    concurrency_limit: number | null;
    /** Name of the partition that it makes. */
    partition: string | null;
    /** Higher comes first. */
    priority: number;
  };
  backfill: {
    id: string;
    project: string;
    pipeline: string;
    status: BackfillStatus;
    /** JSON: what was asked for, in words of who asked. */
    request: string;
    /** JSON */
    params: string;
    max_parallel: number;
    fail_fast: number;
    actor: string;
    created_at_ms: number;
    finished_at_ms: number | null;
    /** Grows with every change; updating it first serializes those of one backfill. */
    revision: number;
  };
  backfill_partition: {
    backfill_id: string;
    position: number;
    partition: string;
    status: BackfillPartitionStatus;
    pipeline_run_id: string | null;
  };
  run_step: {
    pipeline_run_id: string;
    step: string;
    position: number;
    kind: string;
    /** Steps it depends on that have not ended. */
    pending: number;
    /** Its own step runs that have not ended. */
    remaining: number;
    /** JSON: names of the steps that depend on it. */
    dependents: string;
    /** Worst end so far: null, `blocked`, `skipped`, `failed` or `cancelled`. */
    outcome: string | null;
    reason: string | null;
    /** 0: it runs when all before it succeeded. Else its own condition decides: 1 also after a cancel, 2 not then. */
    own_condition: number;
    /** 1: its first step run lists its items; each of the others is one of them. */
    for_each: number;
    /** How many of its step runs are queued or at work at once. */
    max_parallel: number | null;
    /** 1: the others end when one has failed for good. */
    fail_fast: number;
  };
  /** Outputs that a step run gave, by name: JSON. */
  step_result: { step_run_id: string; outputs: string };
  step_run: {
    id: string;
    pipeline_run_id: string;
    project: string;
    pipeline: string;
    step: string;
    kind: string;
    position: number;
    matrix_index: number;
    matrix: string | null;
    status: StepRunStatus;
    cached: number;
    reason: string | null;
    facts: string | null;
    error: string | null;
    progress: string | null;
    gate_key: string | null;
    queued_at_ms: number | null;
    /** Earliest start: later than `queued_at_ms` for a delayed retry. */
    ready_at_ms: number | null;
    started_at_ms: number | null;
    finished_at_ms: number | null;
    attempt_count: number;
    failure_count: number;
    lost_count: number;
    /** Fencing token of the newest attempt. */
    token: number;
    concurrency_group: string | null;
    concurrency_limit: number | null;
    own_condition: number;
    cache_key: string | null;
    /** Higher comes first: that of its run and its own together. */
    priority: number;
    pool: string | null;
    /** How many slots of its pool it takes. */
    pool_slots: number | null;
  };
  attempt: {
    id: string;
    step_run_id: string;
    pipeline_run_id: string;
    project: string;
    number: number;
    token: number;
    owner: string;
    status: AttemptStatus;
    lease_expires_at_ms: number;
    /** Database time of the claim. */
    claimed_at_ms: number;
    started_at_ms: number;
    finished_at_ms: number | null;
    error: string | null;
    tracking_run_id: string | null;
    /** sha256 of the token that its processes call with, hexadecimal; null until one was made. */
    token_hash: string | null;
    /** It holds slots of this pool while it runs and its lease does. */
    pool: string | null;
    pool_slots: number | null;
  };
  step_output: { step_run_id: string; asset: string; version_id: string; created: number };
  step_input: { step_run_id: string; asset: string; role: string; version_id: string };
  cache_entry: {
    project: string;
    key: string;
    pipeline: string;
    step: string;
    matrix_index: number;
    parts: string;
    outputs: string;
    facts: string | null;
    /** JSON: the outputs that its processes wrote. */
    results: string | null;
    blocks: string | null;
    step_run_id: string;
    made_at_ms: number;
  };
  log_chunk: {
    step_run_id: string;
    attempt_number: number;
    sequence: number;
    stream: "stdout" | "stderr";
    text: string;
    at_ms: number;
  };
  log_segment: {
    step_run_id: string;
    attempt_number: number;
    first_sequence: number;
    last_sequence: number;
    blob_id: number;
    start_byte: number;
    size_bytes: number;
    stdout_characters: number;
    stderr_characters: number;
  };
  log_blob: {
    id: number;
    digest: string;
    size_bytes: number;
  };
  sensor: {
    project: string;
    pipeline: string;
    /** Digest of what it looks at. */
    key: string;
    position: number;
    /** For people, without anything secret. */
    subject: string;
    every_ms: number;
    next_at_ms: number;
    /** Grows when somebody begins to look and when that is written: who was overtaken writes nothing. */
    revision: number;
    /** JSON: what it saw last; null before the first look. */
    state: string | null;
    checked_at_ms: number | null;
    fired_at_ms: number | null;
    fired_run: string | null;
    fire_count: number;
    /** JSON: why the last look failed. */
    error: string | null;
    error_since_ms: number | null;
  };
  deadline: {
    project: string;
    pipeline: string;
    /** Empty: of the pipeline. */
    step: string;
    /** After a run was asked for; null for a time of each day. */
    within_ms: number | null;
    /** `08:30` */
    at: string | null;
    timezone: string | null;
    /** Runs asked for until then were judged; of a time of the day, the last one that was. */
    seen_until_ms: number;
    /** Of a time of the day: the next. */
    next_at_ms: number | null;
    /** Grows with each judgement: of two engines one judges. */
    revision: number;
  };
  /** What missed its deadline and has not ended. */
  late: {
    project: string;
    pipeline: string;
    step: string;
    /** Id of a pipeline run, or the moment of a daily deadline. */
    subject: string;
    from_ms: number;
    due_at_ms: number;
  };
  /** Pipelines that no schedule and no sensor starts meanwhile. */
  pipeline_pause: { project: string; pipeline: string; paused_at_ms: number; actor: string; reason: string | null };
  /** As `esteira.yaml` declared them last. */
  pool: { project: string; name: string; slots: number; description: string | null; updated_at_ms: number };
  slot: {
    project: string;
    group_name: string;
    holder: string;
    step_run_id: string;
    expires_at_ms: number;
    acquired_at_ms: number;
  };
  slot_group: { project: string; group_name: string; revision: number };
  gate: {
    project: string;
    key: string;
    state: "open" | "refused";
    reason: string;
    changed_at_ms: number;
    actor: string;
  };
  engine_instance: {
    id: string;
    project: string;
    host: string;
    pid: number;
    process_start: string;
    started_at_ms: number;
    lease_expires_at_ms: number;
    stopped: number;
  };
}
