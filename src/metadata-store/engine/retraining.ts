import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { EventData } from "../event/catalogue.ts";
import { linkTriggeredRuns } from "../monitoring/open-alert.ts";
import { listEvents, type StoredEvent } from "../event/list-events.ts";
import type { PipelineRunStatus, TriggerKind } from "./tables.ts";

/** Subject kind of what was decided about training again; the subject is the pipeline. */
export const RETRAINING = "retraining";

export type RetrainingEvent = Extract<StoredEvent, { readonly type: `retraining.${string}` }>;
export type RetrainingCause = EventData<"retraining.started">["causes"][number];
export type RetrainingReason = EventData<"retraining.waited">["reasons"][number];

function isRetraining(event: StoredEvent): event is RetrainingEvent {
  return event.type.startsWith("retraining.");
}

interface OfPipeline {
  readonly project: string;
  readonly pipeline: string;
}

/** Names of the registered pipelines whose definition has a policy for training again, at most 1,000. */
export async function listRetrainingPipelines(
  transaction: ReadTransaction,
  project: string,
): Promise<readonly string[]> {
  const rows = await transaction
    .selectFrom("pipeline")
    .innerJoin("pipeline_definition", (join) =>
      join
        .onRef("pipeline_definition.project", "=", "pipeline.project")
        .onRef("pipeline_definition.digest", "=", "pipeline.digest"),
    )
    .select("pipeline.name")
    .where("pipeline.project", "=", project)
    .where("pipeline_definition.content", "like", '%"retrain":{%')
    .orderBy("pipeline.name")
    .limit(1000)
    .execute();
  return rows.map(({ name }) => name);
}

/** Changes when pipelines are registered or removed. */
export async function readPipelinesMark(transaction: ReadTransaction, project: string): Promise<string> {
  const row = await transaction
    .selectFrom("pipeline")
    .select(({ fn }) => [fn.countAll().as("count"), fn.max("updated_at_ms").as("latest")])
    .where("project", "=", project)
    .executeTakeFirstOrThrow();
  return `${String(row.count)}:${String(row.latest)}`;
}

/** Lets one transaction at a time decide about a pipeline. */
export async function lockPipeline(transaction: WriteTransaction, { project, pipeline }: OfPipeline): Promise<void> {
  await transaction
    .updateTable("pipeline")
    .set((set) => ({ updated_at_ms: set.ref("updated_at_ms") }))
    .where("project", "=", project)
    .where("name", "=", pipeline)
    .execute();
}

/** What was decided about training a pipeline again, newest first. */
export async function listRetrainingEvents(
  transaction: ReadTransaction,
  { project, pipeline, limit }: OfPipeline & { readonly limit: number },
): Promise<readonly RetrainingEvent[]> {
  const query = { project, subjectKind: RETRAINING, subject: pipeline, newestFirst: true, limit };
  return (await listEvents(transaction, query)).filter((event) => isRetraining(event));
}

/** When the newest runs that were started in these ways were made, newest first. */
export async function listRunTimes(
  transaction: ReadTransaction,
  query: OfPipeline & { readonly kinds: readonly TriggerKind[]; readonly sinceMs: number; readonly limit: number },
): Promise<readonly number[]> {
  const rows = await transaction
    .selectFrom("pipeline_run")
    .select("created_at_ms")
    .where("project", "=", query.project)
    .where("pipeline", "=", query.pipeline)
    .where("trigger_kind", "in", query.kinds)
    .where("created_at_ms", ">", query.sinceMs)
    .orderBy("id", "desc")
    .limit(query.limit)
    .execute();
  return rows.map((row) => row.created_at_ms);
}

/** When attempts of runs that were started in these ways were at work, oldest first; some may have no end yet. */
export async function listAttemptSpans(
  transaction: ReadTransaction,
  query: OfPipeline & { readonly kinds: readonly TriggerKind[]; readonly sinceMs: number },
): Promise<readonly { readonly fromMs: number; readonly toMs: number | undefined }[]> {
  const rows = await transaction
    .selectFrom("pipeline_run")
    .innerJoin("attempt", "attempt.pipeline_run_id", "pipeline_run.id")
    .select(["attempt.started_at_ms", "attempt.finished_at_ms"])
    .where("pipeline_run.project", "=", query.project)
    .where("pipeline_run.pipeline", "=", query.pipeline)
    .where("pipeline_run.trigger_kind", "in", query.kinds)
    .where((is) => is.or([is("attempt.finished_at_ms", ">", query.sinceMs), is("attempt.finished_at_ms", "is", null)]))
    .orderBy("attempt.started_at_ms")
    .execute();
  return rows.map((row) => ({ fromMs: row.started_at_ms, toMs: row.finished_at_ms ?? undefined }));
}

/** The newest run of all steps of a pipeline that did not fail, and what it read of these assets. */
export interface LastTraining {
  readonly pipelineRunId: string;
  readonly status: PipelineRunStatus;
  readonly definitionDigest: string;
  readonly createdAtMs: number;
  readonly read: readonly { readonly asset: string; readonly version: number; readonly digest: string }[];
}

/** @returns undefined when there was none */
export async function findLastTraining(
  transaction: ReadTransaction,
  { project, pipeline, assets }: OfPipeline & { readonly assets: readonly string[] },
): Promise<LastTraining | undefined> {
  const run = await transaction
    .selectFrom("pipeline_run")
    .select(["id", "status", "definition_digest", "created_at_ms"])
    .where("project", "=", project)
    .where("pipeline", "=", pipeline)
    .where("selection", "=", "{}")
    .where("status", "in", ["queued", "running", "waiting", "succeeded"])
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  if (run === undefined) return undefined;
  const read =
    assets.length === 0
      ? []
      : await transaction
          .selectFrom("step_run")
          .innerJoin("step_input", "step_input.step_run_id", "step_run.id")
          .innerJoin("asset_version", "asset_version.id", "step_input.version_id")
          .select(["asset_version.asset", "asset_version.version", "asset_version.digest"])
          .distinct()
          .where("step_run.pipeline_run_id", "=", run.id)
          .where("asset_version.asset", "in", assets)
          .orderBy("asset_version.asset")
          .execute();
  return {
    pipelineRunId: run.id,
    status: run.status,
    definitionDigest: run.definition_digest,
    createdAtMs: run.created_at_ms,
    read,
  };
}

/** Whether one of these alerts is not closed. */
export async function isAnyAlertOpen(transaction: ReadTransaction, ids: readonly string[]): Promise<boolean> {
  if (ids.length === 0) return false;
  const row = await transaction
    .selectFrom("alert")
    .select("id")
    .where("id", "in", ids)
    .where("state", "!=", "closed")
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Notes on alerts which run answers them. */
export async function linkAlertsToRun(
  transaction: WriteTransaction,
  { alertIds, pipelineRunId }: { readonly alertIds: readonly string[]; readonly pipelineRunId: string },
): Promise<void> {
  for (const id of alertIds) await linkTriggeredRuns(transaction, id, [pipelineRunId]);
}

/** Models that a run gave, and whether it made them or had them already. */
export async function listRunModels(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<readonly { readonly asset: string; readonly version: number; readonly isNew: boolean }[]> {
  const rows = await transaction
    .selectFrom("step_run")
    .innerJoin("step_output", "step_output.step_run_id", "step_run.id")
    .innerJoin("asset_version", "asset_version.id", "step_output.version_id")
    .select(["asset_version.asset", "asset_version.version", "step_output.created"])
    .where("step_run.pipeline_run_id", "=", pipelineRunId)
    .where("asset_version.kind", "=", "model")
    .orderBy("asset_version.asset")
    .limit(100)
    .execute();
  return rows.map(({ asset, version, created }) => ({ asset, version, isNew: created === 1 }));
}
