import { createChangedSources } from "./changed-sources.ts";
import { join } from "node:path";
import type { ServerRole } from "#api";
import type { Settings } from "#config";
import { createDatasetStorage, createSensing } from "#data";
import { type CaughtUpPush, createWebhookHandler, isolationOfPipeline } from "#delivery";
import { createWorkspace } from "#executors";
import { keepLeases } from "#metadata-store/engine";
import { createModelStorage } from "#models";
import { createMonitoringCalls } from "#monitoring";
import { assertValid, type LoadedProject, type ProcessLimits, type Sensing } from "#pipeline";
import { createEngine, type Engine, type EnginePorts, registerPipelines, registerPools } from "#engine";
import { createOpenaiCalls, createPredictionLog, createServingCalls } from "#serving";
import { createProject, type ProjectOptions } from "#project";
import { knownExecutors } from "./examine-executors.ts";
import { readRegistered } from "./follow-registered.ts";
import { createHostedSource } from "./hosted-source.ts";
import { createEventWatch, listPushedDatasets } from "./event-watch.ts";
import { createEndpointWatch } from "./endpoint-watch.ts";
import { createBesideEngine } from "./beside-engine.ts";
import { createParts, type Parts } from "./parts.ts";
import { listKeys } from "./partition-keys.ts";
import type { Platform, StorePlatform } from "./platform.ts";
import { catchUpPushSource, createPushSourceHandler, installPushSource } from "./push-source.ts";
import { createPullRequests } from "./pull-requests.ts";
import { createPushWatch } from "./push-watch.ts";
import { createRunReader } from "./run-reader.ts";
import { openSecretBox } from "./secret-keys.ts";
import { createStepKinds } from "./step-kinds.ts";
import { createProjectWorkflows } from "./workflows.ts";

/** A platform with what its owner alone may do. */
export interface OwnedPlatform {
  readonly platform: Platform;
  /** Reads and checks the project's files, for the start that follows. @throws PIPELINE_DEFINITION_INVALID */
  check(): Promise<void>;
  /** Starts endpoints and monitors, and in a project its engine. Once. @throws PIPELINE_DEFINITION_INVALID */
  start(): Promise<void>;
  /** Ends what works by itself. */
  stop(): Promise<void>;
  /** Lets go of what is held, after `stop`. */
  close(): Promise<void>;
}

/** Endpoints in their protocols, and deployed servers in OpenAI's. */
function createCalls(parts: Parts): Platform["servingCalls"] {
  const { serving, project, log, store } = parts;
  return [
    ...createServingCalls({ endpoints: serving.endpoints, project, log }),
    ...createOpenaiCalls({ ...parts, predictions: createPredictionLog(store) }),
  ];
}

/** Builds what a project needs over an open store. */
export function createPlatform(base: StorePlatform, settings: Settings): OwnedPlatform {
  const parts = createParts(base, settings);
  const { store, config, clock, log, serving, project } = parts;
  const kinds = createStepKinds(parts, settings);
  const workflows = createProjectWorkflows(parts, settings);
  const watch = createEndpointWatch(parts);
  const hosted = base.isProject ? createHostedSource(parts, settings, { kinds, workflows }) : undefined;
  const pullRequests = createPullRequests({ ...parts, outbox: base.outbox }, (name) => settings.secret(name));
  const pushed = { kinds, workflows, pullRequests: pullRequests.options };
  const { pushParts, pushes } = watchPushes(parts, settings, { ...pushed, hosted });
  const eventWatch = createEventWatch({ ...parts, datasets: () => platform.pushedDatasets() });
  let stopFeatures: (() => Promise<void>) | undefined;
  const does = (role: ServerRole): boolean => base.roles.includes(role);
  const engine = createPlatformEngine(parts, {
    kinds: [...kinds, ...(workflows?.kinds ?? [])],
    settings,
    url: base.url,
  });
  let checked: LoadedProject | undefined;
  const putInForce = async (loaded: LoadedProject, actor: string): Promise<void> => {
    await parts.rules.declare(actor);
    await parts.monitoring.saveMonitors(project, await files.monitorFiles());
    await registerPools(store, { project, pools: config.pools, atMs: clock.now() });
    await registerPipelines(store, { project, pipelines: loaded.pipelines, actor, atMs: clock.now() });
    await parts.features.reload();
    files.use(loaded.pipelines);
  };
  const files = createProject({
    project,
    folder: config.folder,
    storeFolder: config.storeFolder,
    kinds,
    source: workflows,
    ...checksOf(parts, settings),
    putInForce: (loaded) => putInForce(loaded, settings.user),
    log,
  });

  const receiveWebhook = createWebhookHandler({ ...parts, secret: (name) => settings.secret(name) });
  // A server listens before its project is registered: what is called meanwhile waits, as it cannot be sent again.
  let registered: Promise<void> | undefined;
  let tellRegistered: (() => void) | undefined;

  const platform: Platform = {
    secret: (name) => settings.secret(name),
    ...base,
    ...parts,
    engine,
    kinds,
    workflows,
    servingCalls: createCalls(parts),
    monitoringCalls: createMonitoringCalls({ monitoring: parts.monitoring, project, log }),
    loadProject: () => files.load(),
    async registerProject(actor) {
      const loaded = checked ?? assertValid(await files.load());
      checked = undefined;
      await putInForce(loaded, actor);
      return loaded;
    },
    async useRegistered() {
      await parts.rules.refresh();
      files.use(await readRegistered({ store, project }));
    },
    ...graphOf(files),
    registered: async () => registered,
    rollBack: async ({ to, ...request }) => (await parts.delivery.rollback({ project, ...request, to })).release.id,
    changedSources: createChangedSources(parts),
    previews: pullRequests.previews,
    pushHandler: () => createPushSourceHandler(pushParts, pushed),
    repository: hosted?.repository,
    webhookHandler: base.isProject ? async (...call) => (await registered, receiveWebhook(...call)) : undefined,
    installHook: (request) => installPushSource(pushParts, request),
    startEndpoints: () => serving.endpoints.start(),
  };

  const besideEngine = createBesideEngine(parts, base, async () => {
    await platform.useRegistered();
    await parts.features.reload();
  });

  return {
    platform,
    async check() {
      if (!base.isProject) return;
      // What is wrong with the files is for the process to say that puts them in force.
      if (does("engine")) checked = assertValid(await files.load());
      ({ promise: registered, resolve: tellRegistered } = Promise.withResolvers<void>());
    },
    async start() {
      if (does("serving")) await serving.endpoints.start();
      if (!does("engine")) return besideEngine.start().finally(() => tellRegistered?.());
      watch.start();
      if (!base.isProject) return;
      await files.follow(await platform.registerProject(settings.user));
      tellRegistered?.();
      await parts.delivery.recover(project);
      stopFeatures = parts.features.watch();
      await engine.start();
      eventWatch.start();
      await pushes.start();
      pullRequests.start();
    },
    async stop() {
      for (const part of [pullRequests, pushes, eventWatch, besideEngine, files, watch]) await part.stop();
      await stopFeatures?.();
      await engine.stop();
      await Promise.all(parts.executors.map(async (executor) => executor.close?.()));
    },
    async close() {
      await serving.close();
      parts.analytics.close();
    },
  };
}

/** Looks for pushes to the project's repository that were not announced, and to the one that is kept here. */
function watchPushes(
  parts: Parts,
  settings: Settings,
  of: Parameters<typeof catchUpPushSource>[1] & { readonly hosted: ReturnType<typeof createHostedSource> | undefined },
): {
  readonly pushParts: Parameters<typeof catchUpPushSource>[0];
  readonly pushes: ReturnType<typeof createPushWatch>;
} {
  const { hosted, ...pushed } = of;
  const pushParts = { ...parts, pushSecrets: openSecretBox(parts.config, settings, "push secret") };
  const announced = (): Promise<readonly CaughtUpPush[]> => catchUpPushSource(pushParts, pushed);
  const pushes = createPushWatch({
    catchUp: [announced, ...(hosted === undefined ? [] : [() => hosted.catchUp()])],
    log: parts.log,
  });
  return { pushParts, pushes };
}

/** What the files of a project are checked against beside each other. */
function checksOf(
  parts: Parts,
  settings: Settings,
): Pick<ProjectOptions, "pools" | "executors" | "alertRoutes" | "sensing"> {
  const { config } = parts;
  return {
    pools: config.pools,
    executors: knownExecutors(parts.executors),
    alertRoutes: Object.keys(config.alerts.routes),
    sensing: sensingOf(parts, settings),
  };
}

/** Sensors look with what a capture may read. */
function sensingOf(parts: Parts, settings: Settings): Sensing {
  const { config } = parts;
  return createSensing({
    ...parts,
    projectFolder: config.folder,
    captureFolders: config.capture.folders,
    captureHosts: config.capture.hosts,
    secret: (name) => settings.secret(name),
  });
}

function createPlatformEngine(
  parts: Parts,
  facts: {
    readonly kinds: Platform["kinds"];
    readonly settings: Settings;
    readonly url: () => Promise<string>;
  },
): Engine {
  const { store, objects, access, config, clock, log, tracking, git, project } = parts;
  const ports: EnginePorts = {
    platformUrl: facts.url,
    openTrackingRun: async ({ inputs, commit, ...run }) => {
      const { runId, experimentId } = await tracking.openRun({
        ...run,
        ...(commit === undefined ? {} : { commit: commit.id }),
        inputs: [...inputs.values()].map(({ asset, version, digest }) => ({ name: asset, version, digest })),
      });
      return { runId, experimentId, finish: (status) => tracking.closeRun(runId, status) };
    },
    keptTrackingRun: (runId) => ({
      runId,
      // Its processes have it already.
      experimentId: "",
      finish: (status) => tracking.closeRun(runId, status),
    }),
    openLate: (transaction, late) => parts.monitoring.openLate(transaction, late),
    closeLate: (transaction, late) => parts.monitoring.closeLate(transaction, late),
    linkLate: (transaction, alert, runs) => parts.monitoring.linkLate(transaction, alert, runs),
    killTrackingRun: (transaction, attempt) => tracking.killRunOf(transaction, attempt),
    attemptToken: (attempt) => access.createAttemptToken(attempt),
    createWorkspace: (request) => createWorkspace({ ...request, leaveOut: [config.storeFolder] }, git),
    get closedWorkspaces() {
      return parts.rules.current().some(({ approvals, bind }) => approvals > 0 && bind === "recipe");
    },
    commit: (folder) => git.readCommit(folder),
    limits: withoutUndefined({
      memoryBytes: config.limits.memory,
      processes: config.limits.processes,
      files: config.limits.files,
    }),
    defaultExecutor: config.defaults.executor,
    isolationOf: (pipeline, step) => ({
      ...isolationOfPipeline(pipeline, parts.rules.current()),
      exempt: config.isolation.exempt.includes(`${pipeline.name}.${step}`),
      network: config.isolation.network,
    }),
    keepLeases: (engine) =>
      keepLeases({ ...engine, address: config.metadataAddress }, (reason) =>
        log.error("the thread that prolongs leases has ended; the engine prolongs them alone", { reason }),
      ),
    sensing: sensingOf(parts, facts.settings),
    listKeys: (of) => listKeys(parts, of),
    resolveSecret: async (name) => facts.settings.secret(name),
  };
  const cache = join(config.storeFolder, "cache");
  return createEngine({
    store,
    objects,
    project,
    projectFolder: config.folder,
    storeFolder: config.storeFolder,
    kinds: facts.kinds,
    storages: [
      createDatasetStorage(parts),
      createModelStorage({
        store,
        objects,
        folder: join(cache, "models"),
        runs: createRunReader(tracking),
        artifacts: parts.artifacts,
        clock,
      }),
    ],
    executors: parts.executors,
    ports,
    clock,
    log,
  });
}

/** What the files of the project say now. */
function graphOf(
  files: ReturnType<typeof createProject>,
): Pick<
  Platform,
  | "producerOf"
  | "definitionOf"
  | "pushedDatasets"
  | "consumersOf"
  | "pipelineNames"
  | "stepsByKind"
  | "stationedSteps"
  | "projectProblems"
  | "contractOf"
> {
  return {
    producerOf: (asset) => files.graph().producerOf(asset),
    definitionOf: (asset) => files.graph().definitionOf(asset),
    pushedDatasets: () => listPushedDatasets(files.graph()),
    consumersOf: (asset) => files.graph().consumersOf(asset),
    pipelineNames: () => files.graph().pipelineNames(),
    stepsByKind: () => files.graph().stepsByKind(),
    stationedSteps: () => files.graph().stationedSteps(),
    projectProblems: () => files.problems(),
    contractOf: (dataset) => files.contractOf(dataset),
  };
}

/** What a step says counts; what it leaves out must not hide what the project says. */
function withoutUndefined(limits: ProcessLimits): ProcessLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
