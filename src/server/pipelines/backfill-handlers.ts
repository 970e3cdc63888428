import type { BackfillSummary, PartitionState } from "#api";
import type { Platform } from "#app";
import {
  countBackfillPartitions,
  findBackfill,
  listBackfillPartitions,
  listBackfills,
  listPartitionRuns,
} from "#metadata-store/engine";
import type { BackfillState } from "#engine";
import { listPartitions } from "#pipeline";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { parseCursor, toPage, ULID } from "../api/paging.ts";
import { projectNotOpen, resourceMissing } from "../errors.ts";

const SHOWN = 1000;

type BackfillHandlers = Pick<
  ApiHandlers,
  | "listPartitions"
  | "previewBackfill"
  | "createBackfill"
  | "listBackfills"
  | "getBackfill"
  | "listBackfillPartitions"
  | "pauseBackfill"
  | "resumeBackfill"
  | "cancelBackfill"
  | "retryBackfill"
>;

/** Partitions of pipelines, and what makes many of them. */
export function createBackfillHandlers(platform: Platform): BackfillHandlers {
  const { store, project, engine } = platform;
  const { backfills } = engine;

  const register = async (actor: string): Promise<void> => {
    if (!platform.isProject) throw projectNotOpen({ what: "A backfill" });
    await platform.registerProject(actor);
  };

  const find = async (id: string): Promise<BackfillState> => {
    const found = await store.read(async (transaction) => ({
      backfill: await findBackfill(transaction, id),
      counts: (await countBackfillPartitions(transaction, [id])).get(id),
    }));
    if (found.backfill?.project !== project || found.counts === undefined)
      throw resourceMissing({ kind: "backfill", key: id });
    return { backfill: found.backfill, counts: found.counts };
  };

  return {
    ...createPartitionHandlers(platform),
    previewBackfill: async ({ params, body, identity }) => {
      await register(identity.name);
      const { partitions, leftOut, filled, medianMs } = await backfills.preview({
        ...body,
        pipeline: params.name,
        actor: identity.name,
      });
      const { definition } = await engine.backfills.known(params.name);
      const makes = new Set(definition.steps.flatMap((step) => step.makes.map(({ asset }) => asset)));
      return {
        partitionCount: partitions.length,
        partitions: partitions.slice(0, SHOWN),
        leftOut,
        filled: filled.slice(0, SHOWN),
        medianMs,
        downstream: [...makes].flatMap((asset) =>
          platform
            .consumersOf(asset)
            .filter(({ pipeline }) => pipeline !== params.name)
            .map(({ pipeline, step }) => ({ asset, pipeline, step })),
        ),
      };
    },
    createBackfill: async ({ params, body, identity }) => {
      await register(identity.name);
      return { id: await backfills.start({ ...body, pipeline: params.name, actor: identity.name }) };
    },
    listBackfills: async ({ query }) => {
      const found = await store.read(async (transaction) => {
        const some = await listBackfills(transaction, {
          project,
          before: parseCursor(query.after, ULID)?.[0],
          limit: query.limit + 1,
        });
        const counts = await countBackfillPartitions(
          transaction,
          some.map(({ id }) => id),
        );
        return some.flatMap((backfill) => {
          const ofIt = counts.get(backfill.id);
          return ofIt === undefined ? [] : [{ backfill, counts: ofIt }];
        });
      });
      return toPage(found, { limit: query.limit, cursor: ({ backfill }) => backfill.id, show: toSummary });
    },
    getBackfill: async ({ params }) => toSummary(await find(params.id)),
    listBackfillPartitions: async ({ params, query }) => {
      const { backfill } = await find(params.id);
      const after = parseCursor(query.after, /^(\d{1,9})$/)?.[0];
      const found = await store.read((transaction) =>
        listBackfillPartitions(transaction, {
          backfillId: backfill.id,
          limit: query.limit + 1,
          ...(after === undefined ? {} : { after: Number(after) }),
        }),
      );
      return toPage(found, {
        limit: query.limit,
        cursor: ({ position }) => String(position),
        show: ({ partition, status, pipelineRunId }) => ({ partition, status, pipelineRunId }),
      });
    },
    pauseBackfill: async ({ params, identity }) => {
      await backfills.pause(params.id, identity.name);
      return { id: params.id };
    },
    resumeBackfill: async ({ params, identity }) => {
      await backfills.resume(params.id, identity.name);
      return { id: params.id };
    },
    cancelBackfill: async ({ params, identity }) => {
      await backfills.cancel(params.id, identity.name);
      return { id: params.id };
    },
    retryBackfill: async ({ params, body, identity }) => {
      await backfills.retry(params.id, { actor: identity.name, partitions: body.partitions });
      return { id: params.id };
    },
  };
}

function createPartitionHandlers({ store, project, engine }: Platform): Pick<ApiHandlers, "listPartitions"> {
  return {
    listPartitions: async ({ params, query }) => {
      const known = await engine.backfills.known(params.name);
      const runs = await store.read((transaction) =>
        listPartitionRuns(transaction, { project, pipeline: params.name }),
      );
      const newest = new Map(runs.map((run) => [run.partition, run]));
      const all = known.definition.partitions === undefined ? [] : listPartitions(known).toReversed();
      const from = query.after === undefined ? 0 : all.findIndex(({ name }) => name === query.after) + 1;
      return toPage(all.slice(from, from + query.limit + 1), {
        limit: query.limit,
        cursor: ({ name }) => name,
        show: ({ name }): PartitionState => {
          const run = newest.get(name);
          return {
            name,
            state: run?.status ?? "missing",
            pipelineRunId: run?.pipelineRunId,
            startedAtMs: run?.startedAtMs,
            endedAtMs: run?.finishedAtMs,
          };
        },
      });
    },
  };
}

function toSummary({ backfill, counts }: BackfillState): BackfillSummary {
  const { id, pipeline, status, actor, createdAtMs, finishedAtMs, maxParallel, failFast } = backfill;
  return { id, pipeline, status, actor, createdAtMs, endedAtMs: finishedAtMs, maxParallel, failFast, ...counts };
}
