import { appendEvent, type WriteTransaction } from "#metadata-store";
import {
  admitPipelineRuns,
  findMergeableRun,
  findTriggeredPipelines,
  getPipelineDefinition,
  insertPipelineRun,
  type TriggerKind,
} from "#metadata-store/engine";
import type { PipelineDefinition } from "#pipeline";
import { askRetraining, isRuled } from "./retraining.ts";
import { expandRun, type RunRequest } from "./expand-run.ts";

/** Something happened that pipelines may subscribe to. */
export interface FiredTrigger {
  readonly project: string;
  readonly on: Exclude<TriggerKind, "manual" | "schedule">;
  /** `data`: the asset. `alert`: `<endpoint or dataset>.<monitor>`. `push`: the branch. `webhook`: its name. */
  readonly subject: string;
  /** Facts kept with the pipeline run: the version, the alert, the commit. */
  readonly cause: object;
  readonly atMs: number;
  readonly actor: string;
  /** Run on another checkout than the project's own folder: a pushed commit. */
  readonly source?: { readonly folder: string; readonly commit?: string };
  /** Further says which of the pipelines that subscribe are meant. */
  readonly accepts?: (definition: PipelineDefinition) => boolean;
}

/**
 * Queues the pipelines that subscribe to what happened, in the transaction in which it happened.
 *
 * A further `data` or `alert` trigger is merged into a run of the same pipeline of which no step has begun: it will
 * read the newest versions anyway.
 *
 * @returns ids of the pipeline runs that answer it, new or merged
 */
export async function fireTrigger(transaction: WriteTransaction, fired: FiredTrigger): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const pipeline of await findTriggeredPipelines(transaction, fired)) {
    const merged =
      fired.on === "data" || fired.on === "alert"
        ? await findMergeableRun(transaction, { project: fired.project, pipeline, triggerKind: fired.on })
        : undefined;
    if (merged !== undefined) {
      await appendEvent(transaction, {
        atMs: fired.atMs,
        project: fired.project,
        type: "pipeline_run.trigger_merged",
        subjectKind: "pipeline_run",
        subject: merged,
        actor: fired.actor,
        data: { on: fired.on, subject: fired.subject, cause: fired.cause },
      });
      ids.push(merged);
      continue;
    }
    const id = await enqueuePipeline(transaction, pipeline, {
      project: fired.project,
      trigger: { kind: fired.on, subject: fired.subject, cause: fired.cause },
      actor: fired.actor,
      source: fired.source,
      atMs: fired.atMs,
      accepts: fired.accepts,
      isAutomatic: true,
    });
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/**
 * Queues one run of a registered pipeline; undefined when it is not registered, or when its policy for training again
 * holds back what started by itself.
 */
export async function enqueuePipeline(
  transaction: WriteTransaction,
  pipeline: string,
  request: RunRequest & {
    readonly accepts?: FiredTrigger["accepts"] | undefined;
    /** A trigger asks, which a policy may rule. */
    readonly isAutomatic?: boolean;
  },
): Promise<string | undefined> {
  const stored = await getPipelineDefinition(transaction, { project: request.project, pipeline });
  if (stored === undefined) return undefined;
  const definition = JSON.parse(stored.content) as PipelineDefinition;
  if (request.accepts?.(definition) === false) return undefined;
  const { kind: on, subject = "", cause = {} } = request.trigger;
  if (request.isAutomatic === true && isRuled(definition, on)) {
    const { project, atMs, actor } = request;
    return askRetraining(
      transaction,
      { on, subject, cause, atMs },
      {
        project,
        definition,
        atMs,
        actor,
        start: () => {
          const params = { ...definition.retrain?.params, ...request.params };
          return enqueuePipeline(transaction, pipeline, { ...request, params, isAutomatic: false });
        },
      },
    );
  }
  const run = expandRun(definition, stored.digest, request);
  await insertPipelineRun(transaction, run);
  if (run.concurrency !== undefined)
    await admitPipelineRuns(transaction, {
      project: request.project,
      group: run.concurrency.group,
      atMs: request.atMs,
    });
  return run.id;
}
