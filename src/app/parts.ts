import { isAbsolute, join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { PROJECT_FILE, type ProjectConfig, type Settings } from "#config";
import type { Resources } from "#pipeline";
import {
  type Analytics,
  createAnalytics,
  createDatasets,
  createEventBuffer,
  type Datasets,
  type EventBuffer,
} from "#data";
import {
  createDelivery,
  createRollouts,
  type Delivery,
  type DeliveryOptions,
  isolationOfModels,
  PRODUCTION,
  type Rollouts,
  type RolloutsOptions,
  targetKeyMissing,
} from "#delivery";
import {
  certificateVariables,
  type ClusterAccess,
  createGit,
  createIsolation,
  createLocalExecutor,
  createPythonEnvironments,
  createSandbox,
  createServices,
  createSshHosts,
  createSlurmExecutor,
  createTaskBoard,
  createWorkerPool,
  createWorkers,
  type Git,
  type Isolation,
  type PythonEnvironments,
  type Sealer,
  type Services,
  type TaskBoard,
} from "#executors";
import { createFeatures, type Features } from "#features";
import { type CommitAuthors, createApprovalCheck, createRules, type Rules } from "#governance";
import { type DatasetReader, locateModel } from "#models";
import type { Executor } from "#engine";
import { createMonitoring, type Monitoring } from "#monitoring";
import { createPredictions, type Predictions } from "#predictions";
import { createServing, type Serving } from "#serving";
import { readAccess } from "./cluster-access.ts";
import { openSecretBox } from "./secret-keys.ts";
import { createKubernetes, createRay, createSsh } from "./started-workers.ts";
import { createDatasetReader } from "./dataset-reader.ts";
import type { LocalFiles } from "#storage";
import type { StorePlatform } from "./platform.ts";
import { createTrainingNulls } from "./training-nulls.ts";

/** The services of a project's process, wired; what step kinds are built from. */
export interface Parts extends Pick<
  StorePlatform,
  "project" | "config" | "clock" | "log" | "store" | "objects" | "access" | "metrics" | "tracking" | "artifacts"
> {
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  readonly events: EventBuffer;
  /** Of the Delta tables. */
  readonly files: LocalFiles;
  readonly reader: DatasetReader;
  readonly features: Features;
  readonly serving: Serving;
  readonly monitoring: Monitoring;
  /** What endpoints answered, wherever it lies. */
  readonly predictions: Predictions;
  readonly services: Services;
  readonly delivery: Delivery;
  /** Trials of models beside those that answer. */
  readonly rollouts: Rollouts;
  readonly git: Git;
  /** Who committed a source: nobody approves their own. */
  readonly commitAuthors: CommitAuthors;
  readonly approvals: ReturnType<typeof createApprovalCheck>;
  /** What protects the environments. */
  readonly rules: Rules;
  readonly environments: PythonEnvironments;
  /** Where steps and models of Python run. */
  readonly executor: Executor;
  /** Where steps run; the first is this machine. */
  readonly executors: readonly [Executor, ...Executor[]];
  /** What workers on other machines take from. */
  readonly tasks: TaskBoard;
  /** How far they are kept from the platform. */
  readonly isolation: Isolation;
  readonly temporaryFolder: string;
}

/** The folder of this machine that artifact locations lie in, when clients write them there themselves. */
function folderOfRoot(uri: string): string | undefined {
  if (uri.startsWith("file:")) return fileURLToPath(uri);
  return isAbsolute(uri) ? uri : undefined;
}

function toShare({ memory, ...share }: { readonly memory?: number | undefined } & Resources): Resources {
  return { ...share, memoryBytes: memory };
}

type SlurmSettings = Extract<ProjectConfig["executors"][string], { readonly slurm: object }>["slurm"];

/** Its machines see what this one does, but for what of this one is no file: its sandbox is made there. */
export function createSlurm(
  name: string,
  slurm: SlurmSettings,
  {
    config,
    settings,
    writable,
  }: { readonly config: ProjectConfig; readonly settings: Settings; readonly writable: readonly string[] },
): Executor {
  const { partition, account, qos, constraint, time, conf, node, url } = slurm;
  return createSlurmExecutor({
    name,
    partition,
    account,
    qos,
    constraint,
    minutes: time,
    arguments: slurm.arguments,
    configuration: conf,
    searchPath: settings.searchPath,
    homeFolder: settings.homeFolder,
    node,
    platformUrl: url,
    jobsFolder: join(config.storeFolder, "jobs", name),
    place: {
      workFolder: join(config.storeFolder, "work"),
      storeFolder: config.storeFolder,
      path: settings.searchPath,
      readable: config.isolation.folders,
      writable,
      environment: certificateVariables(settings.installer),
      isolation: config.isolation.level,
    },
  });
}

/** Where processes of users run, and how far they are kept from the platform. */
function createProcesses(
  platform: Pick<
    StorePlatform,
    "artifactRoot" | "store" | "objects" | "project" | "access" | "url" | "log" | "version"
  >,
  config: StorePlatform["config"],
  settings: Settings,
): Pick<Parts, "isolation" | "executor" | "executors" | "services" | "tasks"> {
  const { artifactRoot } = platform;
  const below = (folder: string): string => join(config.storeFolder, folder);
  const isolation = createIsolation({
    level: config.isolation.level,
    sandbox: createSandbox(undefined, below("cache/sandbox")),
  });
  const seen = { storeFolder: config.storeFolder, readable: config.isolation.folders };
  const direct = folderOfRoot(artifactRoot);
  const local = {
    ...seen,
    workFolder: below("work"),
    path: settings.searchPath,
    environment: certificateVariables(settings.installer),
    isolation,
    // Where artifacts are no files of this server, clients write them themselves.
    ...(direct === undefined ? {} : { writable: [direct] }),
  };
  const executor = createLocalExecutor(local);
  const sealer = openSecretBox(config, settings, "task secret");
  const writable = direct === undefined ? [] : [direct];
  const others = Object.entries(config.executors).map(([name, declared]) => {
    if ("local" in declared) return createLocalExecutor({ ...local, name, share: toShare(declared.local) });
    if ("ray" in declared) return createRay(name, declared.ray, { ...platform, config, settings, sealer });
    if ("ssh" in declared) return createSsh(name, declared.ssh, { ...platform, config, settings, sealer });
    if ("kubernetes" in declared)
      return createKubernetes(name, declared.kubernetes, { ...platform, config, settings, sealer });
    if ("slurm" in declared) return createSlurm(name, declared.slurm, { config, settings, writable });
    return createPool(name, declared.worker, { ...platform, config, sealer });
  });
  const services = createServices({
    ...seen,
    folder: below("services"),
    searchPath: settings.searchPath,
    isolation,
  });
  const tasks = createTaskBoard({ ...platform, sealer });
  return { isolation, executor, executors: [executor, ...others], services, tasks };
}

type WorkerSettings = Extract<ProjectConfig["executors"][string], { readonly worker: object }>["worker"];

/** Its workers see nothing of this machine. */
export function createPool(
  name: string,
  { labels, lease }: WorkerSettings,
  facts: Pick<StorePlatform, "store" | "objects" | "project" | "config"> & { readonly sealer: Sealer },
): Executor {
  const { store, objects, project, config, sealer } = facts;
  return createWorkerPool({
    name,
    store,
    objects,
    project,
    sealer,
    labels,
    leaseMs: lease,
    workFolder: join(config.storeFolder, "work"),
    storeFolder: config.storeFolder,
  });
}

/** Wires the services over an open store. Nothing runs, and no heavy library is loaded. */
export function createParts(platform: StorePlatform, settings: Settings): Parts {
  const { project, config, clock, log, metrics, store, objects, tableFiles: files, outbox } = platform;
  const below = (folder: string): string => join(config.storeFolder, folder);
  const analytics = createAnalytics({ folder: below("cache/duckdb"), memoryBytes: config.data.memory });
  const datasets = createDatasets({ store, objects, files, analytics, clock, log });
  const events = createEventBuffer({ store, clock, project });
  const reader = createDatasetReader({ datasets, analytics });
  const features = createFeatures({ store, datasets, analytics, clock, log, project, projectFolder: config.folder });
  const environments = createPythonEnvironments({
    storeFolder: config.storeFolder,
    environment: withoutKeys(settings.installer, config),
  });
  const { isolation, executor, executors, services, tasks } = createProcesses(platform, config, settings);
  const serving: Serving = createServing({
    store,
    objects,
    log,
    clock,
    features,
    metrics,
    isServing: platform.roles.includes("serving"),
    threads: config.serving.threads,
    timeoutMs: config.serving.timeout * 1000,
    trainingNulls: createTrainingNulls({ store, objects }),
    python: {
      environments,
      workers: createWorkers({
        executor,
        workFolder: below("work"),
        isolation: () => isolationOfModels(rules.current()),
      }),
      locate: (version) => locateModel(version, { objects, folder: below("cache/models") }),
      cacheFolder: below("cache/bytecode"),
      memoryBytes: config.serving.memory,
    },
  });
  const predictions = createPredictions({ store, analytics, files, clock, log });
  const monitoring: Monitoring = createMonitoring({
    store,
    predictions,
    datasets: reader,
    offline: features,
    scorer: serving.scorer,
    outbox,
    log,
    clock,
    secret: (name) => settings.secret(name),
    routes: { ...config.alerts, language: config.language },
  });
  serving.endpoints.onRequest((key, request) => monitoring.seen(key, request));
  const git = createGit({
    environment: {
      PATH: settings.searchPath,
      ...(settings.homeFolder === undefined ? {} : { HOME: settings.homeFolder }),
    },
  });
  const commitAuthors: CommitAuthors = (commit) => git.commitAuthors(config.folder, commit);
  const rules = createRules({
    store,
    clock,
    project,
    environments: config.environments.map((environment) => ({
      ...environment,
      aliases: environment.name === PRODUCTION ? config.models.protected_aliases : [],
    })),
    fileAuthors: (sinceMs) => git.fileAuthors(config.folder, PROJECT_FILE, sinceMs),
  });
  const approvals = createApprovalCheck({ store, objects, clock, commitAuthors, rules });
  const guarded = guardedBy(rules, config);
  const rollouts = createTrials({ store, environments: guarded, approvals, clock, log, watch: monitoring }, serving);
  return {
    ...wiredBefore(platform),
    analytics,
    datasets,
    events,
    files,
    reader,
    features,
    serving,
    monitoring,
    predictions,
    services,
    delivery: createDelivery({
      store,
      objects,
      services,
      models: serving.target,
      environments: guarded,
      approvals,
      folder: below("releases"),
      hosts: hostsOf(config, settings),
      clusters: clustersOf(config, settings),
      searchPath: settings.searchPath,
      clock,
      log,
    }),
    rollouts,
    git,
    commitAuthors,
    approvals,
    rules,
    environments,
    executor,
    executors,
    tasks,
    isolation,
    temporaryFolder: tmpdir(),
  };
}

/** Environments whose sandbox is asked for by the rules in force. */
function guardedBy(
  rules: Pick<ReturnType<typeof createRules>, "current">,
  { environments }: StorePlatform["config"],
): StorePlatform["config"]["environments"] {
  return environments.map((environment) => ({
    ...environment,
    get sandbox() {
      return rules.current().some(({ name, sandbox }) => name === environment.name && sandbox);
    },
  }));
}

/** Hosts that code is deployed to. */
function hostsOf({ targets }: StorePlatform["config"], settings: Settings): NonNullable<DeliveryOptions["hosts"]> {
  return {
    ssh: createSshHosts({ searchPath: settings.searchPath }),
    targets: Object.fromEntries(
      Object.entries(targets).flatMap(([name, target]) => ("ssh" in target ? [[name, target.ssh]] : [])),
    ),
    secret: (name) => settings.secret(name),
  };
}

/** Clusters that code is applied in. */
function clustersOf(
  { targets }: StorePlatform["config"],
  settings: Settings,
): NonNullable<DeliveryOptions["clusters"]> {
  return Object.fromEntries(
    Object.entries(targets).flatMap(([name, target]) => {
      if (!("kubernetes" in target)) return [];
      const { namespace, cluster_kinds: clusterKinds } = target.kubernetes;
      const missing = (secret: string): Error => targetKeyMissing({ target: name, secret });
      const access = (): Promise<ClusterAccess> => readAccess(name, target.kubernetes, { settings, missing });
      return [[name, { namespace, clusterKinds, access }]];
    }),
  );
}

/** A candidate that fails is judged before its caller is answered. */
function createTrials(options: Omit<RolloutsOptions, "target">, { endpoints, rollouts: target }: Serving): Rollouts {
  const rollouts = createRollouts({ ...options, target });
  endpoints.onCandidateFailure(async (place) => {
    await rollouts.settleOne(place);
  });
  return rollouts;
}

function wiredBefore(
  platform: StorePlatform,
): Pick<
  StorePlatform,
  "project" | "artifacts" | "config" | "clock" | "log" | "metrics" | "store" | "objects" | "access" | "tracking"
> {
  const { project, artifacts, config, clock, log, metrics, store, objects, access, tracking } = platform;
  return { project, artifacts, config, clock, log, metrics, store, objects, access, tracking };
}

/** Packages run programs while they are installed: the keys of the store are not theirs. */
function withoutKeys(
  environment: Settings["installer"],
  { bucket }: StorePlatform["config"],
): Readonly<Record<string, string>> {
  const keys = new Set(Object.values(bucket?.credentials ?? {}));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !keys.has(name)));
}
