import { availableParallelism } from "node:os";
import { type Clock, type Log, messageOf, newId, silentLog, systemClock } from "#base";
import type { AssetKind, MetadataStore } from "#metadata-store";
import {
  findPipelineRun,
  getPipelineDefinition,
  interruptPipelineRun,
  listPipelineRuns,
  type PipelineRun,
  type PipelineRunStatus,
} from "#metadata-store/engine";
import type { Blobs } from "#storage";
import {
  assertPartition,
  type PipelineDefinition,
  knowKinds,
  pipelineUnknown,
  type AssetStorage,
  type ProcessResult,
  type StepKind,
  type Selection,
} from "#pipeline";
import { runUnknown } from "./errors.ts";
import type { Executor } from "./executor.ts";
import type { EnginePorts } from "./ports.ts";
import { getRunProgress, type RunProgress } from "./query/run-progress.ts";
import { enqueuePipeline } from "./trigger.ts";
import type { EngineParts } from "./engine-parts.ts";
import { EngineWorker } from "./engine-worker.ts";
import { cancelPipelineRun, resumeRun } from "./change-run.ts";
import { findPartitions } from "./partitions.ts";
import { createRunsAhead, type RunAhead } from "./runs-ahead.ts";
import { judgeDeadlines } from "./deadlines.ts";
import { type DebugPlace, type DebugRequest, debugStep } from "./debug.ts";
import { createDueLoop } from "./due-loop.ts";
import { runDueSchedules } from "./schedules.ts";
import { createRetrainings } from "./retrainings.ts";
import { createSensors } from "./sensors.ts";
import { type Backfills, createBackfills } from "./backfills.ts";
import { createRecipeBook } from "./recipe-book.ts";
import { createTreeStorage } from "./tree-storage.ts";

const DEFAULT_LEASE_MS = 7000;
const SHORTEST_PAUSE_MS = 100;
const ENDED: readonly PipelineRunStatus[] = ["succeeded", "failed", "cancelled", "interrupted"];

export interface EngineOptions {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly project: string;
  /** Absolute folder of `esteira.yaml`. */
  readonly projectFolder: string;
  /** Absolute folder of the store: `work/` and `cache/` are below it. */
  readonly storeFolder: string;
  readonly kinds: readonly StepKind<never>[];
  /**
   * Storage of data, features and models; plain trees are stored by the engine itself unless one of these takes the
   * kind.
   */
  readonly storages: readonly AssetStorage[];
  /** The first one runs the steps. */
  readonly executors: readonly [Executor, ...Executor[]];
  readonly ports: EnginePorts;
  readonly clock?: Clock;
  /** 0 ≤ x < 1, for jitter. */
  readonly random?: () => number;
  readonly log?: Log;
  /** Step runs at work at once; default the number of processors, at least 2. */
  readonly concurrency?: number;
  /**
   * How long others wait for this engine when it falls silent; default 7 s. A dead process on the same host is noticed
   * at once.
   */
  readonly leaseMs?: number;
}

export interface SubmitRequest {
  readonly pipeline: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Start here: this step again, and everything behind it as far as its inputs changed. */
  readonly from?: string;
  /** This step alone, again. */
  readonly only?: string;
  /** Which partition of the pipeline it makes; none for a pipeline without. */
  readonly partition?: string;
  /** Instead of the pipeline's: of what waits, the higher begins first. */
  readonly priority?: number;
  readonly actor: string;
  readonly source?: { readonly folder: string; readonly commit?: string };
}

/**
 * Runs pipelines: takes queued step runs, carries them out, writes their ends.
 *
 * States: new → working (after `start` or during `runToEnd`) → stopped. A stopped engine cannot be started again.
 */
export interface Engine {
  /** Many partitions of a pipeline, made one by one. */
  readonly backfills: Backfills;
  /** Works on everything of the project until stopped: queued runs, triggers, schedules, runs of engines that died. */
  start(): Promise<void>;
  /** True between the start and the stop: it takes whatever work the project has. */
  isWorking(): boolean;
  /**
   * Queues a run of a registered pipeline.
   * @returns id of the pipeline run
   * @throws PIPELINE_UNKNOWN, PIPELINE_STEP_UNKNOWN, PIPELINE_PARAM_UNKNOWN, PIPELINE_PARAM_MISSING,
   *   PIPELINE_PARAM_WRONG, PIPELINE_PARTITION_MISSING, PIPELINE_PARTITION_UNKNOWN, PIPELINE_PARTITION_NOT_OVER,
   *   PIPELINE_PARTITIONS_ABSENT
   */
  submit(request: SubmitRequest): Promise<string>;
  /**
   * Works on one pipeline run until it has ended, or waits for a gate and nothing else (with `untilWaiting`). While the
   * run waits for a place that another run holds, it works on that one too, unless a living engine does.
   * `listener` sees its progress, at most ten times a second, and once at the end; `onAhead` what the run waits for,
   * each time that changes.
   * @throws PIPELINE_RUN_UNKNOWN
   */
  runToEnd(
    id: string,
    listener?: (progress: RunProgress) => void,
    options?: { readonly untilWaiting?: boolean; readonly onAhead?: (ahead: RunAhead) => void },
  ): Promise<PipelineRun>;
  /** Cancels a pipeline run and ends its processes. Idempotent. @throws PIPELINE_RUN_UNKNOWN */
  cancel(id: string, actor: string): Promise<void>;
  /**
   * Lets a failed, cancelled or interrupted run go on: what succeeded is kept, the rest runs, with the definition as it
   * is now.
   * @returns number of step runs that will run
   * @throws PIPELINE_RUN_UNKNOWN, PIPELINE_RESUME_CHANGED, PIPELINE_STEP_UNKNOWN, PIPELINE_RETRY_NOTHING
   */
  resume(
    id: string,
    options: {
      readonly actor: string;
      readonly from?: string;
      /** Of what did not succeed, only these steps, and what waits for them. */
      readonly steps?: readonly string[] | undefined;
      /** Of a step, only these of its step runs. */
      readonly stepRuns?: readonly string[] | undefined;
    },
  ): Promise<number>;
  /**
   * Makes the workspace of a step run again and runs a shell in it, or a command, as the step's process would run.
   * @throws PIPELINE_RUN_UNKNOWN, PIPELINE_DEBUG_IMPOSSIBLE, PIPELINE_INPUT_MISSING, PIPELINE_SECRET_MISSING
   */
  debug<Value>(
    request: DebugRequest,
    work: (place: DebugPlace, run: () => Promise<ProcessResult>) => Promise<Value>,
  ): Promise<Value>;
  /**
   * Ends its attempts with their processes, then itself. What it was working on stays resumable: as `interrupted` when
   * it worked on single runs, or for the next engine that starts when it worked on all (`interrupt` decides otherwise).
   */
  stop(options?: { readonly interrupt?: boolean }): Promise<void>;
}

/** Makes an engine; nothing runs before `start` or `runToEnd`. */
export function createEngine(options: EngineOptions): Engine {
  const pending = new Set<Promise<unknown>>();
  const parts = createParts(options, pending);
  const { store, project, clock } = parts;
  const worker = new EngineWorker(parts, options.concurrency ?? Math.max(2, availableParallelism()));
  const schedules = createDueLoop(parts, "schedules", () => runDueSchedules(parts));
  const sensors = createSensors(parts);
  const retrainings = createRetrainings(parts);
  const deadlines = createDueLoop(parts, "deadlines", () => judgeDeadlines(parts));
  const backfills = createBackfills(parts, worker);
  let stopped = false;
  let stopping: Promise<void> = Promise.resolve();

  const stopAll = async (interrupts: boolean): Promise<void> => {
    const runs = await worker.stop();
    while (pending.size > 0) await Promise.allSettled(pending);
    if (!interrupts) return;
    try {
      for (const id of runs)
        await store.write((transaction) =>
          interruptPipelineRun(transaction, { id, actor: "engine", atMs: clock.now() }),
        );
    } catch (error) {
      parts.log.error("what was interrupted could not be written; resuming the run finds it", {
        error: messageOf(error),
      });
    }
  };

  const existing = async (id: string): Promise<PipelineRun> => {
    const run = await store.read((transaction) => findPipelineRun(transaction, id));
    if (run === undefined) throw runUnknown({ id });
    return run;
  };

  return {
    backfills,
    async start() {
      await worker.workOn(undefined);
      const interrupted = await store.read((transaction) =>
        listPipelineRuns(transaction, { project, status: "interrupted", limit: 1000 }),
      );
      for (const run of interrupted) await resumeRun(store, { id: run.id, actor: "engine", atMs: clock.now() });
      await schedules.start();
      await sensors.start();
      await retrainings.start();
      await deadlines.start();
      backfills.watch();
    },
    isWorking: () => !stopped && worker.isWorkingOnAll(),
    async submit(request) {
      const { from, only } = request;
      const known = await findPartitions(parts, request.pipeline);
      const partition = assertPartition(known, request.partition);
      const id = await store.write((transaction) =>
        enqueuePipeline(transaction, request.pipeline, {
          project,
          params: request.params ?? {},
          selection: {
            ...(from === undefined ? {} : { from }),
            ...(only === undefined ? {} : { only }),
          } satisfies Selection,
          trigger: { kind: "manual" },
          actor: request.actor,
          source: request.source,
          partition,
          priority: toPriority(request.priority),
          atMs: clock.now(),
        }),
      );
      if (id === undefined) throw pipelineUnknown({ pipeline: request.pipeline, pipelines: [] });
      return id;
    },
    async runToEnd(id, listener, { untilWaiting = false, onAhead } = {}) {
      await existing(id);
      await worker.workOn(id);
      const ahead = createRunsAhead(parts, worker, onAhead);
      try {
        await watchRun(store, id, {
          listener,
          onQueued: () => (stopped ? Promise.resolve() : ahead.look(id)),
          isDone: (status) => stopped || ENDED.includes(status) || (untilWaiting && status === "waiting"),
        });
      } finally {
        // A stop needs to know what was being worked on.
        if (!stopped) for (const run of [id, ...ahead.helped()]) worker.leave(run);
      }
      await stopping;
      return existing(id);
    },
    cancel: (id, actor) => cancelPipelineRun(store, { id, actor, atMs: clock.now() }),
    resume: (id, options) => resumeRun(store, { id, ...options, atMs: clock.now() }),
    debug: (request, work) => debugStep(parts, request, work),
    async stop({ interrupt } = {}) {
      if (!stopped) {
        stopped = true;
        schedules.stop();
        sensors.stop();
        retrainings.stop();
        deadlines.stop();
        backfills.stop();
        stopping = stopAll(interrupt ?? !worker.isWorkingOnAll());
      }
      await stopping;
    },
  };
}

function createParts(options: EngineOptions, pending: Set<Promise<unknown>>): EngineParts {
  const log = options.log ?? silentLog;
  const { project } = options;
  const store = options.store.urgent;
  const trees = createTreeStorage({ objects: options.objects, folder: options.storeFolder });
  const storages = new Map<AssetKind, AssetStorage>(
    [trees, ...options.storages].flatMap((storage) => storage.kinds.map((kind) => [kind, storage] as const)),
  );
  const definitions = new Map<string, Promise<PipelineDefinition>>();
  const commits = new Map<string, ReturnType<EnginePorts["commit"]>>();
  return {
    id: newId(),
    store,
    patientStore: options.store,
    objects: options.objects,
    project,
    projectFolder: options.projectFolder,
    storeFolder: options.storeFolder,
    kinds: knowKinds(options.kinds),
    executors: options.executors,
    ports: options.ports,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    log,
    leaseMs: options.leaseMs ?? DEFAULT_LEASE_MS,
    recipes: createRecipeBook(options.objects),
    storageOf(kind) {
      const storage = storages.get(kind);
      if (storage === undefined) throw new Error(`no storage was given for assets of kind ${kind}`);
      return storage;
    },
    definitionOf: (digest) => remember(definitions, digest, () => loadDefinition(store, project, digest)),
    commitOf: (pipelineRunId, folder) => remember(commits, pipelineRunId, () => options.ports.commit(folder)),
    later(work) {
      const settled = work
        .catch((error: unknown) => log.warn("background work of the engine failed", { error: messageOf(error) }))
        .finally(() => pending.delete(settled));
      pending.add(settled);
    },
  };
}

const HIGHEST_PRIORITY = 1000;

function toPriority(stated: number | undefined): number | undefined {
  return stated === undefined ? undefined : Math.round(Math.max(-HIGHEST_PRIORITY, Math.min(HIGHEST_PRIORITY, stated)));
}

const REMEMBERED = 200;

function remember<Value>(known: Map<string, Promise<Value>>, key: string, load: () => Promise<Value>): Promise<Value> {
  const value = known.get(key) ?? load();
  known.set(key, value);
  if (known.size > REMEMBERED) known.delete(known.keys().next().value ?? "");
  value.catch(() => known.delete(key));
  return value;
}

async function loadDefinition(store: MetadataStore, project: string, digest: string): Promise<PipelineDefinition> {
  const stored = await store.read((transaction) => getPipelineDefinition(transaction, { project, digest }));
  if (stored === undefined) throw pipelineUnknown({ pipeline: digest, pipelines: [] });
  const definition: PipelineDefinition = JSON.parse(stored.content);
  return definition;
}

/** Follows one pipeline run by the store's changes until `isDone`. */
async function watchRun(
  store: MetadataStore,
  id: string,
  watch: {
    readonly listener: ((progress: RunProgress) => void) | undefined;
    readonly onQueued: () => Promise<void>;
    readonly isDone: (status: PipelineRunStatus) => boolean;
  },
): Promise<void> {
  let changed: (() => void) | undefined;
  let dirty = true;
  const unsubscribe = store.onChange(() => {
    dirty = true;
    changed?.();
  });
  try {
    for (let last = 0, pause = SHORTEST_PAUSE_MS; ;) {
      dirty = false;
      const run = await store.read((transaction) => findPipelineRun(transaction, id));
      const done = run === undefined || watch.isDone(run.status);
      if (watch.listener !== undefined && (done || Date.now() - last >= pause)) {
        const began = Date.now();
        const progress = await getRunProgress(store, id);
        last = Date.now();
        // Thousands of step runs take a while to read: watching them takes a tenth of the time, not all of it.
        pause = Math.max(SHORTEST_PAUSE_MS, (last - began) * 10);
        if (progress !== undefined) watch.listener(progress);
      }
      if (done) return;
      if (run.status === "queued") await watch.onQueued();
      // Another process on SQLite is noticed by the store's own poll, so this waits for changes alone.
      if (!dirty) await new Promise<void>((resolve) => ((changed = resolve), setTimeout(resolve, 1000).unref()));
    }
  } finally {
    unsubscribe();
  }
}
