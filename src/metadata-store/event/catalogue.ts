type Nothing = Readonly<Record<never, never>>;
type Text = string | undefined;

interface StepRunEvent {
  readonly pipeline: string;
  readonly step: string;
  readonly pipelineRunId: string;
  readonly attempt?: number;
  /** What the attempt ended as. */
  readonly outcome?: string;
  readonly cached?: true;
  readonly reason?: string | undefined;
  /** Key of the gate that let it through or refused it. */
  readonly gate?: string;
}

interface RetrainingEvent {
  /** What asked for it. */
  readonly causes: readonly {
    readonly on: string;
    readonly subject: string;
    /** Facts of the trigger, as the run keeps them. */
    readonly cause: object;
    readonly atMs: number;
  }[];
  /** What keeps it from being done now. */
  readonly reasons: readonly {
    readonly kind: "running" | "nothing_new" | "at_most" | "budget";
    readonly pipelineRunId?: string;
    /** When it holds no more. */
    readonly untilMs?: number;
    /** Versions of data that were read last. */
    readonly since?: readonly { readonly asset: string; readonly version: number }[];
  }[];
  /** What asked for it and still waits after this. */
  readonly waiting: RetrainingEvent["causes"];
}

interface PipelineRunEvent {
  readonly pipeline: string;
}

interface ReleaseEvent {
  readonly environment: string;
  readonly asset: string;
  readonly number: number;
  readonly deploymentId: string;
  readonly stepRunId: Text;
}

interface DeployedEvent extends ReleaseEvent {
  readonly versionId: string;
  readonly version: number;
  readonly digest: string;
  readonly address: Text;
  /** Of a rollback: why. */
  readonly comment?: Text;
}

interface AlertEvent {
  readonly id: string;
  readonly reason?: string;
}

interface DecisionEvent {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  /** Undefined where the decision holds in every environment. */
  readonly environment: Text;
  readonly countsFor: Text;
  readonly comment: Text;
  /** Key that signed it. */
  readonly key?: Text;
  readonly expiresAtMs?: number | undefined;
}

interface VerdictEvent {
  readonly version: number;
  readonly versionId: string;
  readonly digest: string;
  readonly metrics: object;
  readonly reason: Text;
  readonly stepRunId: string;
  /** Digest of the verdict as it is stored. */
  readonly content?: string;
}

/** Rules of an environment, as `governance` writes them. */
interface RulesEvent {
  readonly digest: string;
  readonly rules: object;
}

interface PurgedEvent {
  readonly name: Text;
  readonly artifactUri: Text;
  readonly deletedAtMs: number;
}

/**
 * What each event tells, by its type `<noun>.<past participle>`. Facts are added to a type, never taken from it or
 * changed in meaning: the log keeps what earlier versions wrote.
 */
export interface EventCatalogue {
  readonly "alert.acknowledged": AlertEvent;
  readonly "alert.closed": AlertEvent;
  readonly "alert.opened": {
    readonly id: string;
    readonly environment: string;
    readonly metric: string;
    readonly subject: Text;
    readonly segment: Text;
    readonly value: number;
    readonly threshold: number;
  };
  readonly "approval.given": DecisionEvent;
  readonly "approval.refused": DecisionEvent;
  readonly "approval.requested": {
    readonly kind: string;
    readonly name: string;
    readonly environment: string;
    readonly needed: number;
    readonly reason: Text;
  };
  readonly "approval.revoked": Omit<DecisionEvent, "name" | "countsFor"> & {
    /** Of a signed one: digest of its signature, whatever becomes of its row. */
    readonly envelope?: Text;
  };
  readonly "asset_version.made": {
    readonly id: string;
    readonly kind: string;
    readonly version: number;
    readonly digest: string;
    readonly stepRunId: Text;
    readonly rowCount: number | undefined;
    /** Digests of its content without its recipe, and of what it was made from. */
    readonly content?: string;
    readonly inputs?: string;
  };
  readonly "backfill.cancelled": PipelineRunEvent;
  readonly "backfill.failed": PipelineRunEvent;
  readonly "backfill.paused": PipelineRunEvent;
  readonly "backfill.resumed": PipelineRunEvent;
  readonly "backfill.retried": PipelineRunEvent;
  readonly "backfill.started": PipelineRunEvent;
  readonly "backfill.succeeded": PipelineRunEvent;
  /** Null: from its start, to its end. */
  readonly "dataset.restatement_asked": { readonly from: string | null; readonly to: string | null };
  readonly "dataset.capture_asked": { readonly files: "all" | readonly string[] };
  readonly "dataset.dropped": { readonly version: number };
  readonly "dataset.restored": { readonly version: number; readonly restoredFrom: number };
  readonly "endpoint.changed": {
    readonly action: string;
    readonly modelVersionId: Text;
    readonly candidateVersionId: Text;
    readonly strategy: unknown;
    readonly reason: object | undefined;
  };
  readonly "experiment.created": Nothing;
  readonly "experiment.deleted": Nothing;
  readonly "experiment.purged": PurgedEvent;
  readonly "experiment.renamed": { readonly name: string };
  readonly "experiment.restored": Nothing;
  readonly "feature_view.materialized": {
    readonly sourceVersionId: string;
    readonly sourceVersion: number;
    readonly rows: number;
    /** Of the view; events of earlier releases have none. */
    readonly definitionDigest?: string;
  };
  readonly "grant.removed": { readonly project: string; readonly role?: undefined };
  readonly "grant.set": { readonly project: string; readonly role: string };
  readonly "key.registered": { readonly user: string; readonly label: string };
  readonly "key.revoked": { readonly user: string };
  readonly "labels.recorded": {
    readonly received: number;
    readonly matched: number;
    readonly corrected: number;
    readonly repeated: number;
    readonly unmatched: number;
    /** Times of the predictions that got a label. */
    readonly fromMs: number | undefined;
    readonly toMs: number | undefined;
  };
  readonly "logged_model.created": {
    readonly name: string;
    readonly experimentId: string;
    readonly sourceRunId: Text;
  };
  readonly "logged_model.deleted": Nothing;
  readonly "logged_model.imported": Nothing;
  readonly "logged_model.params_added": { readonly keys: readonly string[] };
  readonly "logged_model.purged": PurgedEvent;
  readonly "logged_model.status_set": { readonly status: string };
  readonly "logged_model.tag_deleted": { readonly key: string };
  readonly "logged_model.tags_set": { readonly keys: readonly string[] };
  readonly "model_alias.deleted": { readonly alias: string; readonly before: number };
  readonly "model_alias.set": { readonly alias: string; readonly version: number; readonly before: number | null };
  readonly "model_version.created": {
    readonly version: number;
    readonly source: string;
    readonly runId: Text;
    readonly assetVersionId: Text;
  };
  readonly "model_version.deleted": { readonly version: number; readonly aliases: readonly string[] };
  readonly "model_version.stage_set": { readonly version: number; readonly stage: string };
  readonly "model_version.tag_deleted": { readonly version: number; readonly key: string };
  readonly "model_version.tag_set": { readonly version: number; readonly key: string; readonly value: string };
  readonly "model_version.updated": { readonly version: number; readonly description: Text };
  readonly "notebook.executed": {
    readonly notebook: string;
    readonly notebookDigest: string;
    readonly notebookVersionId: string;
    /** Digest of the notebook with its outputs. */
    readonly executedNotebook: string;
    readonly cells: number;
    readonly environmentLock: string;
    readonly parameters: object;
    readonly secretsRemoved?: readonly string[];
    readonly attemptId: string;
    readonly failed: boolean;
  };
  readonly "pipeline.paused": { readonly reason?: string };
  readonly "pipeline.registered": { readonly digest: string; readonly file: string };
  readonly "pipeline.removed": Nothing;
  readonly "pipeline.unpaused": { readonly reason?: string };
  readonly "pipeline_run.acknowledged": Nothing;
  readonly "pipeline_run.cancel_requested": PipelineRunEvent;
  readonly "pipeline_run.cancelled": PipelineRunEvent;
  readonly "pipeline_run.continued": PipelineRunEvent;
  readonly "pipeline_run.failed": PipelineRunEvent;
  readonly "pipeline_run.interrupted": PipelineRunEvent;
  readonly "pipeline_run.queued": PipelineRunEvent & {
    readonly trigger: { readonly kind: string; readonly subject?: string; readonly cause?: object };
    readonly definition: string;
  };
  readonly "pipeline_run.resumed": PipelineRunEvent;
  readonly "pipeline_run.started": PipelineRunEvent;
  readonly "pipeline_run.succeeded": PipelineRunEvent;
  readonly "pipeline_run.trigger_merged": { readonly on: string; readonly subject: string; readonly cause: object };
  readonly "pipeline_run.waited": PipelineRunEvent;
  readonly "preview.removed": { readonly number: number };
  readonly "pull_request.received": {
    readonly action: string;
    readonly commit: string;
    readonly isOutside: boolean;
    readonly pipelineRuns: readonly string[];
  };
  readonly "push.received": { readonly commit: string; readonly pipelineRuns: readonly string[] };
  readonly "quarantine.discarded": {
    readonly batch: string;
    readonly rows: number;
    readonly files: number;
    readonly source: string;
    readonly reason: string;
  };
  readonly "quarantine.replayed": {
    readonly batch: string;
    readonly replayed: number;
    readonly held: number;
    readonly version: number;
  };
  readonly "registered_model.created": Nothing;
  readonly "registered_model.deleted": { readonly versions: number };
  readonly "registered_model.imported": {
    readonly versions: number;
    /** Those that were set, with their versions. */
    readonly aliases?: Readonly<Record<string, number>>;
  };
  readonly "registered_model.renamed": { readonly newName: string };
  readonly "registered_model.tag_deleted": { readonly key: string };
  readonly "registered_model.tag_set": { readonly key: string; readonly value: string };
  readonly "registered_model.updated": { readonly description: Text };
  readonly "release.created": {
    readonly environment: string;
    readonly asset: string;
    readonly number: number;
    readonly versionId: string;
    /** Digests of how it is deployed, and of the versions that go together. */
    readonly settings: string;
    readonly versions: string;
  };
  readonly "release.deployed": DeployedEvent;
  readonly "release.failed": ReleaseEvent & { readonly error: object };
  readonly "release.removed": { readonly environment: string; readonly asset: string; readonly versionId: string };
  readonly "release.rolled_back": DeployedEvent;
  readonly "retention.applied": {
    /** How many went; of logs, of how many step runs. */
    readonly predictions: number;
    readonly logs: number;
    readonly versions?: number;
    readonly runs?: number;
    readonly atMs: number;
    /** How long each is kept, in ms. */
    readonly kept: object;
  };
  readonly "retention.expired": {
    /** Versions of an asset whose rows are kept no longer. */
    readonly versions: readonly number[];
    readonly atMs: number;
  };
  readonly "retraining.skipped": RetrainingEvent;
  readonly "retraining.started": RetrainingEvent & { readonly pipelineRunId: string };
  readonly "retraining.waited": RetrainingEvent;
  readonly "retraining.withdrawn": RetrainingEvent & { readonly why: "alerts_closed" | "trained" };
  readonly "rules.declared": RulesEvent;
  readonly "rules.lowered": RulesEvent & {
    /** Digest of the rules before. */
    readonly from: string;
    /** Digest of what was agreed to. */
    readonly change: string;
    readonly approvedBy: readonly string[];
  };
  readonly "rules.lowering_asked": RulesEvent & {
    readonly from: string;
    readonly change: string;
    /** Who wrote it, as far as it is known: they do not decide over it. */
    readonly authors: readonly string[];
  };
  readonly "rules.raised": RulesEvent;
  readonly "run.created": { readonly experimentId: number };
  readonly "run.deleted": Nothing;
  readonly "run.failed": Nothing;
  readonly "run.finished": Nothing;
  readonly "run.killed": Nothing;
  readonly "run.purged": PurgedEvent;
  readonly "run.restored": Nothing;
  readonly "run.running": Nothing;
  readonly "run.scheduled": Nothing;
  readonly "sensor.failed": { readonly pipeline: string; readonly code: string; readonly message: string };
  readonly "sensor.recovered": { readonly pipeline: string };
  readonly "step_run.cancelled": StepRunEvent;
  /** Somebody opened a shell, or ran a command, in its workspace, and had these secrets. */
  readonly "step_run.debugged": StepRunEvent & {
    readonly command: string | null;
    readonly secrets: readonly string[];
  };
  readonly "step_run.failed": StepRunEvent;
  readonly "step_run.pending": StepRunEvent;
  readonly "step_run.queued": StepRunEvent;
  readonly "step_run.skipped": StepRunEvent;
  readonly "step_run.started": StepRunEvent;
  readonly "step_run.succeeded": StepRunEvent;
  readonly "step_run.running": StepRunEvent;
  readonly "step_run.waiting": StepRunEvent;
  readonly "store.verification_began": { readonly everyMs: number };
  readonly "store.verified": {
    readonly objects: number;
    readonly tables: number;
    readonly tableFiles: number;
    readonly artifacts: number;
    readonly bytes: number;
    readonly durationMs: number;
    /** Files that are not what was recorded, and the first of them. */
    readonly damaged: number;
    readonly damages: readonly {
      readonly file: string;
      readonly problem: string;
      readonly versions: readonly string[];
      readonly releases: readonly string[];
      readonly endpoints: readonly string[];
    }[];
  };
  readonly "token.created": {
    readonly user: string;
    readonly label: Text;
    readonly expiresAtMs: number | undefined;
    readonly only: Text;
    /** Digest of the stored hash of its secret. */
    readonly fingerprint?: string;
  };
  readonly "token.revoked": Nothing;
  readonly "user.created": {
    readonly kind: string;
    readonly roles: readonly object[];
    readonly owner?: Text;
    readonly emails?: readonly string[];
  };
  readonly "verdict.passed": VerdictEvent;
  readonly "verdict.refused": VerdictEvent;
  readonly "webhook.created": Nothing;
  readonly "webhook.deleted": Nothing;
  readonly "webhook.received": { readonly delivery: string; readonly pipelineRuns: readonly string[] };
  readonly "webhook.updated": Nothing;
}

export type EventType = keyof EventCatalogue;

/** What an event of a type tells. */
export type EventData<Type extends EventType> = EventCatalogue[Type];

type NounOf<Type extends string> = Type extends `${infer Noun}.${string}` ? Noun : never;

/** The module whose acts the events of a noun report; nobody else appends them. */
export const EVENT_WRITERS = {
  alert: "monitoring",
  approval: "governance",
  asset_version: "pipeline",
  backfill: "pipeline",
  dataset: "data",
  endpoint: "serving",
  experiment: "tracking",
  feature_view: "features",
  grant: "access",
  key: "governance",
  labels: "monitoring",
  logged_model: "tracking",
  model_alias: "models",
  model_version: "models",
  notebook: "notebooks",
  pipeline: "pipeline",
  pipeline_run: "pipeline",
  preview: "delivery",
  pull_request: "delivery",
  push: "delivery",
  quarantine: "data",
  registered_model: "models",
  release: "delivery",
  retention: "upkeep",
  retraining: "pipeline",
  rules: "governance",
  run: "tracking",
  sensor: "pipeline",
  step_run: "pipeline",
  store: "upkeep",
  token: "access",
  user: "access",
  verdict: "models",
  webhook: "models",
} as const satisfies Record<NounOf<EventType>, string>;
