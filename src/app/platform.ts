import type { ChangedSources } from "./changed-sources.ts";
import type { Access } from "#access";
import type { ContractSummary, ServerRole, StepReference } from "#api";
import type { Clock, LocatedProblem, Log, Metrics } from "#base";
import type { ProjectConfig } from "#config";
import type { Analytics, Datasets, EventBuffer } from "#data";
import type { Delivery, HostedRepository, Previews, PushAnswer, PushRequest, WebhookAnswer, Rollouts } from "#delivery";
import type { AuditLog, CommitAuthors, Rules } from "#governance";
import type { MetadataStore } from "#metadata-store";
import type { Blobs, LocalFiles } from "#storage";
import type { Executor, Engine } from "#engine";
import type { LoadedProject, StepDefinition, StepKind } from "#pipeline";
import type { Outbox } from "#outbox";
import type { Monitoring, MonitoringCall } from "#monitoring";
import type { Git, Isolation, PythonEnvironments, TaskBoard } from "#executors";
import type { Features } from "#features";
import type { Predictions } from "#predictions";
import type { Serving, ServingCall } from "#serving";
import type { ArtifactFolder, AttemptScope, MlflowCall, Tracking } from "#tracking";
import type { StationedStep } from "#project";
import type { PushedDataset } from "./event-watch.ts";
import type { HealthCheck } from "./health.ts";
import type { WorkflowSource } from "#workflows";

/**
 * What works on a bare store: access, tracking and the model registry.
 *
 * States: open (nothing runs by itself) → started → closed.
 */
export interface StorePlatform {
  readonly config: ProjectConfig;
  /** Name of the project; `default` for a bare store. */
  readonly project: string;
  /** False for a bare store: tracking and registry only. */
  readonly isProject: boolean;
  /** What this process does. */
  readonly roles: readonly ServerRole[];
  /** Version of esteira. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What this process counts of itself. */
  readonly metrics: Metrics;
  readonly store: MetadataStore;
  readonly objects: Blobs;
  /** Of the Delta tables. */
  readonly tableFiles: LocalFiles;
  readonly access: Access;
  readonly tracking: Tracking;
  /** Sends what leaves the platform by itself. */
  readonly outbox: Outbox;
  /** What the token of a step may write among MLflow's calls. */
  readonly attemptScope: AttemptScope;
  /** Where MLflow artifacts are kept, and those that clients keep in folders of this machine. */
  readonly artifacts: ArtifactFolder;
  /** Root of the artifact locations of new experiments. */
  readonly artifactRoot: string;
  /** Whether each part works that requests need; cheap, and within about two seconds. */
  health(): Promise<readonly HealthCheck[]>;
  /** The events as a signed tree; loaded with the first call. */
  readonly auditLog: () => Promise<AuditLog>;
  /** MLflow's calls. */
  mlflowCalls(): readonly MlflowCall[];
  /** Tells where the HTTP server listens, so that steps can reach it. */
  setUrl(url: string): void;
  /** Base URL of this process's server; starts one on a free loopback port when none listens yet. */
  readonly url: () => Promise<string>;
  /** The platform with everything that a project needs; loaded and built with the first call. */
  whole(): Promise<Platform>;
  /**
   * Before a start: reads and checks every file of the project; a bare store has none. @throws
   * PIPELINE_DEFINITION_INVALID with every mistake
   */
  check(): Promise<void>;
  /**
   * Starts what works by itself: webhooks, and in a project the engine's queue, triggers and schedules, endpoints,
   * monitors. @throws PIPELINE_DEFINITION_INVALID
   */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Everything a process of esteira works with, built from its configuration. */
export interface Platform extends StorePlatform {
  /** Who committed a source: nobody approves their own. */
  readonly commitAuthors: CommitAuthors;
  /** What changed in the project's repository between two commits. */
  readonly changedSources: ChangedSources;
  /** Values of secrets, from the environment. */
  secret(name: string): string | undefined;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  /** Events that were pushed and are in no version yet. */
  readonly events: EventBuffer;
  readonly features: Features;
  readonly serving: Serving;
  readonly monitoring: Monitoring;
  /** What endpoints answered, wherever it lies. */
  readonly predictions: Predictions;
  readonly delivery: Delivery;
  readonly rollouts: Rollouts;
  /** What protects the environments: of the store and `esteira.yaml` the stricter. */
  readonly rules: Rules;
  /** How far processes of the project are kept from the platform. */
  readonly isolation: Isolation;
  /** Where the packages are that scripts import. */
  readonly environments: PythonEnvironments;
  readonly git: Git;
  /** Where steps run; the first is this machine. */
  readonly executors: readonly [Executor, ...Executor[]];
  /** What workers on other machines take from. */
  readonly tasks: TaskBoard;
  readonly engine: Engine;
  readonly kinds: readonly StepKind<never>[];
  /** GitHub workflows of the project; undefined where it leaves them alone. */
  readonly workflows: WorkflowSource | undefined;
  readonly servingCalls: readonly ServingCall[];
  /** Labels and evaluation, below the endpoints. */
  readonly monitoringCalls: readonly MonitoringCall[];
  /** Reads and checks every file of the project; nothing is changed. */
  loadProject(): Promise<LoadedProject>;
  /**
   * Checks the project and makes its pipelines, monitors and feature views the current ones. Launches nothing. @throws
   * PIPELINE_DEFINITION_INVALID
   */
  registerProject(actor: string): Promise<LoadedProject>;
  /** Knows the pipelines that were registered last, by this process or another, without reading the project's files. */
  useRegistered(): Promise<void>;
  /** The step that makes an asset, by the pipelines registered last. */
  producerOf(asset: string): StepReference | undefined;
  /** How that step is defined. */
  definitionOf(asset: string): StepDefinition | undefined;
  /** The datasets whose steps take pushed events. */
  pushedDatasets(): readonly PushedDataset[];
  /** Resolves when the pipelines are known of a server that has just begun to listen. */
  registered(): Promise<void>;
  /** The steps that read an asset. */
  consumersOf(asset: string): readonly StepReference[];
  /** Names of the registered pipelines. */
  pipelineNames(): readonly string[];
  /** Steps of the registered pipelines, by step kind. */
  stepsByKind(): ReadonlyMap<string, readonly { readonly pipeline: string; readonly step: string }[]>;
  /** Steps of the registered pipelines, each with its station of the cycle. */
  stationedSteps(): readonly StationedStep[];
  /**
   * Mistakes of the project's files as they are now, while the process follows them; what was read before them stays in
   * force.
   */
  projectProblems(): readonly LocatedProblem[];
  contractOf(dataset: string): Promise<ContractSummary | undefined>;
  /** Deploys an earlier release again; returns its id. @throws DELIVERY_NOTHING_DEPLOYED, DELIVERY_RELEASE_MISSING */
  /** What pull requests have running. */
  readonly previews: Previews;
  rollBack(request: {
    readonly environment: string;
    readonly asset: string;
    readonly to?: string | undefined;
    readonly reason?: string | undefined;
    readonly actor: string;
  }): Promise<string>;
  /** Answers push events of the project's repository; undefined outside a project, or while no hook was installed. */
  pushHandler(): Promise<((request: PushRequest) => Promise<PushAnswer>) | undefined>;
  /** The project's own repository; undefined outside a project. */
  readonly repository: HostedRepository | undefined;
  /** Answers a signed call of a webhook; undefined outside a project. */
  readonly webhookHandler: ((webhook: string, request: PushRequest) => Promise<WebhookAnswer>) | undefined;
  /**
   * Lets pushes to a repository trigger this project's pipelines: `post-receive` hook, shared secret. @throws
   * DELIVERY_HOOK_EXISTS
   */
  installHook(request: {
    readonly repository: string;
    readonly url: string;
    readonly branch: string;
    readonly subfolder?: string | undefined;
  }): Promise<void>;
  /** Starts the endpoints of this process, for those who only run one pipeline. */
  startEndpoints(): Promise<void>;
}
