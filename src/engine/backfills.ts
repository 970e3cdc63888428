import { messageOf, newId } from "#base";
import type { WriteTransaction } from "#metadata-store";
import {
  appendBackfillEvent,
  type Backfill,
  type BackfillCounts,
  countBackfillPartitions,
  findBackfill,
  insertBackfill,
  listOpenBackfills,
  listPartitionRuns,
  listRunsOfBackfill,
  lockBackfill,
  medianPartitionRun,
  moveBackfillPartitions,
  setBackfillStatus,
} from "#metadata-store/engine";
import { checkParams, choosePartitions, listPartitions, type Partition, partitionRange } from "#pipeline";
import { advanceBackfill } from "./advance-backfill.ts";
import { cancelPipelineRun, resumeRun } from "./change-run.ts";
import type { EngineParts } from "./engine-parts.ts";
import type { EngineWorker } from "./engine-worker.ts";
import { backfillEmpty, backfillEnded, backfillUnknown, partitionNotOfBackfill } from "./errors.ts";
import { findPartitions } from "./partitions.ts";
import { findStalePartitions } from "./stale-partitions.ts";

const DEFAULT_PARALLEL = 4;
const MOST_PARALLEL = 100;
const LOOK_EVERY_MS = 5000;
const SHORTEST_PAUSE_MS = 50;
const IDLE_PAUSE_MS = 1000;

/** What somebody wants to have made. */
export interface BackfillRequest {
  readonly pipeline: string;
  /** Names, times, keys or ranges; else `from` and `to`; else all that are over. */
  readonly partitions?: readonly string[] | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Also those that were made of what is there now. */
  readonly all?: boolean | undefined;
  /** Only those whose newest run did not end well. */
  readonly failed?: boolean | undefined;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  /** So many runs at once; default 4. */
  readonly maxParallel?: number | undefined;
  /** The first failure ends it. */
  readonly failFast?: boolean | undefined;
  readonly actor: string;
}

/** What a backfill would do. */
export interface BackfillPreview {
  readonly partitions: readonly string[];
  /** Partitions in the range that are left out: they were made of what is there now, or did not fail. */
  readonly leftOut: number;
  /** Their names. */
  readonly filled: readonly string[];
  /** Milliseconds that a partition took before, the median; undefined when none was made. */
  readonly medianMs: number | undefined;
}

/** Where a backfill stands. */
export interface BackfillState {
  readonly backfill: Backfill;
  readonly counts: BackfillCounts;
}

export interface Backfills {
  /** A registered pipeline, and what its partitions are now. @throws PIPELINE_UNKNOWN, PIPELINE_PARTITION_KEYS_WRONG */
  known(pipeline: string): ReturnType<typeof findPartitions>;
  /** @throws as `Engine.submit`, PIPELINE_PARTITIONS_EMPTY, PIPELINE_PARTITIONS_TOO_MANY */
  preview(request: BackfillRequest): Promise<BackfillPreview>;
  /** Writes down what is to be made; whichever engine works begins it. @throws as `preview`, PIPELINE_BACKFILL_EMPTY */
  start(request: BackfillRequest): Promise<string>;
  /** @throws PIPELINE_BACKFILL_UNKNOWN, PIPELINE_BACKFILL_ENDED */
  pause(id: string, actor: string): Promise<void>;
  resume(id: string, actor: string): Promise<void>;
  /** Ends its runs too. */
  cancel(id: string, actor: string): Promise<void>;
  /** Runs what failed or was cancelled again, or the named ones of it. @returns how many */
  retry(
    id: string,
    of: { readonly actor: string; readonly partitions?: readonly string[] | undefined },
  ): Promise<number>;
  /** Works on a backfill until it has ended, is paused, or all that it may have at once waits for people. */
  toEnd(id: string, listener?: (state: BackfillState) => void): Promise<BackfillState>;
  /** Begins to advance every backfill of the project. */
  watch(): void;
  stop(): void;
}

export function createBackfills(parts: EngineParts, worker: EngineWorker): Backfills {
  const { store, clock } = parts;
  const loop = createLoop(parts);
  let stopped = false;

  const read = async (id: string): Promise<BackfillState> => {
    const found = await store.read(async (transaction) => ({
      backfill: await findBackfill(transaction, id),
      counts: (await countBackfillPartitions(transaction, [id])).get(id),
    }));
    if (found.backfill?.project !== parts.project || found.counts === undefined) throw backfillUnknown({ id });
    return { backfill: found.backfill, counts: found.counts };
  };

  const change = async <Value>(
    id: string,
    work: (transaction: WriteTransaction, backfill: Backfill) => Promise<Value>,
  ): Promise<Value> => {
    await read(id);
    return store.write(async (transaction) => {
      const backfill = await lockBackfill(transaction, id);
      if (backfill === undefined) throw backfillUnknown({ id });
      return work(transaction, backfill);
    });
  };

  return {
    known: (pipeline) => findPartitions(parts, pipeline),
    preview: (request) => previewBackfill(parts, request),
    async start(request) {
      const { partitions } = await previewBackfill(parts, request);
      if (partitions.length === 0) throw backfillEmpty({ pipeline: request.pipeline });
      const id = newId(clock.now());
      const { pipeline, from, to, all, failed, params = {}, failFast = false } = request;
      const maxParallel = Math.min(Math.max(Math.floor(request.maxParallel ?? DEFAULT_PARALLEL), 1), MOST_PARALLEL);
      const asked = { partitions: request.partitions, from, to, all, failed };
      await store.write((transaction) =>
        insertBackfill(transaction, {
          id,
          project: parts.project,
          pipeline,
          request: asked,
          params,
          maxParallel,
          failFast,
          actor: request.actor,
          createdAtMs: clock.now(),
          partitions,
        }),
      );
      return id;
    },
    pause: (id, actor) =>
      change(id, async (transaction, backfill) => {
        if (backfill.status === "paused") return;
        if (backfill.status !== "running") throw backfillEnded({ id, status: backfill.status });
        await setBackfillStatus(transaction, { id, status: "paused", finishedAtMs: undefined });
        await appendBackfillEvent(transaction, backfill, { what: "paused", actor, atMs: clock.now() });
      }),
    resume: (id, actor) =>
      change(id, async (transaction, backfill) => {
        if (backfill.status === "running") return;
        if (backfill.status !== "paused") throw backfillEnded({ id, status: backfill.status });
        await setBackfillStatus(transaction, { id, status: "running", finishedAtMs: undefined });
        await appendBackfillEvent(transaction, backfill, { what: "resumed", actor, atMs: clock.now() });
      }),
    async cancel(id, actor) {
      const atMs = clock.now();
      const runs = await change(id, async (transaction, backfill) => {
        if (backfill.status !== "running" && backfill.status !== "paused") return [];
        await moveBackfillPartitions(transaction, { backfillId: id, from: ["pending"], to: "cancelled" });
        await setBackfillStatus(transaction, { id, status: "cancelled", finishedAtMs: atMs });
        await appendBackfillEvent(transaction, backfill, { what: "cancelled", actor, atMs });
        return listRunsOfBackfill(transaction, id);
      });
      for (const { pipelineRunId } of runs) await cancelPipelineRun(store, { id: pipelineRunId, actor, atMs });
      await advanceBackfill(parts, id);
    },
    retry: (id, { actor, partitions }) =>
      change(id, async (transaction, backfill) => {
        const moved = await moveBackfillPartitions(transaction, {
          backfillId: id,
          from: ["failed", "cancelled"],
          to: "pending",
          partitions,
        });
        if (partitions !== undefined && moved < new Set(partitions).size)
          throw partitionNotOfBackfill({ id, partitions });
        if (moved === 0) return 0;
        await setBackfillStatus(transaction, { id, status: "running", finishedAtMs: undefined });
        await appendBackfillEvent(transaction, backfill, { what: "retried", actor, atMs: clock.now() });
        return moved;
      }),
    toEnd: (id, listener) => workToEnd(parts, worker, { id, listener, read, isStopped: () => stopped }),
    watch: () => loop.start(),
    stop() {
      stopped = true;
      loop.stop();
    },
  };
}

/** It is over or paused, or people must open gates before it goes on. */
function isAtRest({ backfill, counts }: BackfillState, runs: Awaited<ReturnType<typeof listRunsOfBackfill>>): boolean {
  if (runs.length === 0) return backfill.status !== "running";
  const isFull = counts.pending === 0 || runs.length >= backfill.maxParallel;
  return isFull && runs.every(({ status }) => status === "waiting");
}

async function workToEnd(
  parts: EngineParts,
  worker: EngineWorker,
  of: {
    readonly id: string;
    readonly listener: ((state: BackfillState) => void) | undefined;
    readonly read: (id: string) => Promise<BackfillState>;
    readonly isStopped: () => boolean;
  },
): Promise<BackfillState> {
  const { store } = parts;
  const { id } = of;
  const working = new Set<string>();
  let changed = (): void => undefined;
  const unsubscribe = store.onChange(() => changed());
  try {
    for (;;) {
      await advanceBackfill(parts, id);
      const state = await of.read(id);
      of.listener?.(state);
      const runs = await store.read((transaction) => listRunsOfBackfill(transaction, id));
      if (of.isStopped() || isAtRest(state, runs)) return state;
      for (const { pipelineRunId, status } of runs) {
        if (status === "interrupted")
          await resumeRun(store, { id: pipelineRunId, actor: "engine", atMs: parts.clock.now() });
        if (working.has(pipelineRunId)) continue;
        working.add(pipelineRunId);
        await worker.workOn(pipelineRunId);
      }
      const live = new Set(runs.map(({ pipelineRunId }) => pipelineRunId));
      for (const run of working) if (!live.has(run) && working.delete(run)) worker.leave(run);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        changed = () => {
          clearTimeout(timer);
          setTimeout(resolve, SHORTEST_PAUSE_MS);
          changed = () => undefined;
        };
      });
    }
  } finally {
    unsubscribe();
  }
}

/** @throws as {@link Backfills.preview} */
async function previewBackfill(parts: EngineParts, request: BackfillRequest): Promise<BackfillPreview> {
  const known = await findPartitions(parts, request.pipeline);
  const params = checkParams(known.definition, request.params ?? {});
  const inRange = await chosen(parts, known, request);
  const stale =
    request.all === true || request.failed === true
      ? undefined
      : await findStalePartitions(parts, { definition: known.definition, params }, inRange.partitions);
  const isLeftOut = ({ name }: Partition): boolean => stale?.has(name) === false;
  const toMake = inRange.partitions.filter((partition) => !isLeftOut(partition));
  const filled = [...inRange.leftOut, ...inRange.partitions.filter(isLeftOut)];
  return {
    partitions: toMake.map(({ name }) => name),
    leftOut: filled.length,
    filled: filled.map(({ name }) => name),
    medianMs: await parts.store.read((transaction) =>
      medianPartitionRun(transaction, { project: parts.project, pipeline: request.pipeline }),
    ),
  };
}

async function chosen(
  parts: EngineParts,
  known: Awaited<ReturnType<typeof findPartitions>>,
  { partitions: named, from, to, failed, pipeline }: BackfillRequest,
): Promise<{ readonly partitions: readonly Partition[]; readonly leftOut: readonly Partition[] }> {
  const partitions =
    named !== undefined && named.length > 0
      ? choosePartitions(known, named)
      : from === undefined && to === undefined
        ? listPartitions(known)
        : partitionRange(known, { from, to });
  if (failed !== true) return { partitions, leftOut: [] };
  const runs = await parts.store.read((transaction) =>
    listPartitionRuns(transaction, { project: parts.project, pipeline }),
  );
  const bad = new Set(
    runs.flatMap(({ partition, status }) => (status === "failed" || status === "cancelled" ? [partition] : [])),
  );
  return {
    partitions: partitions.filter(({ name }) => bad.has(name)),
    leftOut: partitions.filter(({ name }) => !bad.has(name)),
  };
}

/** Looks at open backfills when something has changed, and once in a while. */
function createLoop(parts: EngineParts): { start(): void; stop(): void } {
  let unsubscribe: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let again = false;

  const look = async (): Promise<void> => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        const open = await parts.store.read((transaction) => listOpenBackfills(transaction, parts.project));
        for (const id of open) await advanceBackfill(parts, id);
        // Everything that is written is a change: without a backfill there is little to look for.
        const pauseMs = open.length === 0 ? IDLE_PAUSE_MS : SHORTEST_PAUSE_MS;
        await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
      } while (again && unsubscribe !== undefined);
    } catch (error) {
      parts.log.error("backfills could not be looked at", { error: messageOf(error) });
    } finally {
      looking = false;
    }
  };

  return {
    start() {
      unsubscribe = parts.store.onChange(() => void look());
      timer = setInterval(() => void look(), LOOK_EVERY_MS);
      void look();
    },
    stop() {
      clearInterval(timer);
      unsubscribe?.();
      unsubscribe = undefined;
    },
  };
}
