import type { Selectable } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";
import type { PipelineRunStatus, PipelineTables, TriggerKind } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** One pipeline run, as lists show it. Times are epoch milliseconds. */
export interface PipelineRun {
  readonly id: string;
  readonly project: string;
  readonly pipeline: string;
  readonly definitionDigest: string;
  readonly status: PipelineRunStatus;
  readonly params: Readonly<Record<string, unknown>>;
  readonly selection: { readonly from?: string; readonly only?: string };
  readonly trigger: {
    readonly kind: TriggerKind;
    readonly subject: string | undefined;
    readonly cause: Readonly<Record<string, unknown>>;
  };
  readonly actor: string;
  /** The partition that it makes. */
  readonly partition: string | undefined;
  /** Another folder and commit than the project's own. */
  readonly source: { readonly folder: string; readonly commit?: string } | undefined;
  readonly createdAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  readonly cancelRequested: boolean;
  /** Higher comes first. */
  readonly priority: number;
  /** Why something was held back although nothing failed: a verdict that refused. */
  readonly blocked: string | undefined;
  readonly error:
    | { readonly step?: string; readonly code?: string; readonly message?: string; readonly hint?: string }
    | undefined;
}

export function toPipelineRun(row: Selectable<PipelineTables["pipeline_run"]>): PipelineRun {
  return {
    id: row.id,
    project: row.project,
    pipeline: row.pipeline,
    definitionDigest: row.definition_digest,
    status: row.status,
    params: JSON.parse(row.params) as PipelineRun["params"],
    selection: JSON.parse(row.selection) as PipelineRun["selection"],
    trigger: {
      kind: row.trigger_kind,
      subject: row.trigger_subject ?? undefined,
      cause: JSON.parse(row.trigger_cause) as Record<string, unknown>,
    },
    actor: row.actor,
    partition: row.partition ?? undefined,
    source: row.source === null ? undefined : (JSON.parse(row.source) as { folder: string; commit?: string }),
    createdAtMs: row.created_at_ms,
    startedAtMs: row.started_at_ms ?? undefined,
    finishedAtMs: row.finished_at_ms ?? undefined,
    cancelRequested: row.cancel_requested > 0,
    priority: row.priority,
    blocked: row.blocked ?? undefined,
    error: row.error === null ? undefined : (JSON.parse(row.error) as PipelineRun["error"]),
  };
}

/** Pipeline runs, newest first. `before` is the last id of the page before. At most 1,000; default 50. */
export async function listPipelineRuns(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly pipeline?: string | undefined;
    readonly status?: PipelineRunStatus | readonly PipelineRunStatus[] | undefined;
    readonly partition?: string | undefined;
    readonly before?: string | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly PipelineRun[]> {
  let select = transaction.selectFrom("pipeline_run").selectAll().where("project", "=", query.project);
  if (query.pipeline !== undefined) select = select.where("pipeline", "=", query.pipeline);
  if (typeof query.status === "string") select = select.where("status", "=", query.status);
  else if (query.status !== undefined) select = select.where("status", "in", query.status);
  if (query.partition !== undefined) select = select.where("partition", "=", query.partition);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  const rows = await select
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 50, LARGEST_PAGE))
    .execute();
  return rows.map(toPipelineRun);
}

/** How many runs of its pipeline there were up to one, itself among them; 0 where there is none. */
export async function countPipelineRunsUpTo(transaction: ReadTransaction, id: string): Promise<number> {
  const row = await transaction
    .selectFrom("pipeline_run as known")
    .innerJoin("pipeline_run as own", (join) =>
      join.onRef("own.project", "=", "known.project").onRef("own.pipeline", "=", "known.pipeline"),
    )
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("own.id", "=", id)
    .whereRef("known.id", "<=", "own.id")
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** One pipeline run; undefined when there is none. */
export async function findPipelineRun(transaction: ReadTransaction, id: string): Promise<PipelineRun | undefined> {
  const [row] = (await selectRun(transaction, { id })).rows;
  return row === undefined ? undefined : toPipelineRun(row);
}

const selectRun = prepare((transaction, { id }: { readonly id: string }) =>
  transaction.selectFrom("pipeline_run").selectAll().where("id", "=", id),
);

// Parameters of one statement.
const IDS_PER_STATEMENT = 5000;

/** The pipeline runs with these ids; unknown ones are left out. */
export async function findPipelineRuns(
  transaction: ReadTransaction,
  ids: readonly string[],
): Promise<readonly PipelineRun[]> {
  const wanted = [...new Set(ids)];
  const found: PipelineRun[] = [];
  for (let start = 0; start < wanted.length; start += IDS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("pipeline_run")
      .selectAll()
      .where("id", "in", wanted.slice(start, start + IDS_PER_STATEMENT))
      .execute();
    found.push(...rows.map(toPipelineRun));
  }
  return found;
}

/**
 * The oldest run that holds a place in the concurrency group which a queued run waits for; undefined when the run does
 * not wait for one.
 */
export async function findRunAhead(transaction: ReadTransaction, id: string): Promise<PipelineRun | undefined> {
  const queued = await transaction
    .selectFrom("pipeline_run")
    .select(["project", "concurrency_group"])
    .where("id", "=", id)
    .where("status", "=", "queued")
    .executeTakeFirst();
  if (queued === undefined || queued.concurrency_group === null) return undefined;
  const row = await transaction
    .selectFrom("pipeline_run")
    .selectAll()
    .where("project", "=", queued.project)
    .where("concurrency_group", "=", queued.concurrency_group)
    .where("status", "=", "running")
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toPipelineRun(row);
}

/** A registered pipeline with its newest run. */
export interface PipelineSummary {
  readonly name: string;
  readonly digest: string;
  readonly file: string;
  readonly load: string;
  readonly updatedAtMs: number;
  readonly lastRun: PipelineRun | undefined;
}

/** Registered pipelines by name. `after` is the last name of the page before. At most 1,000; default 100. */
export async function listPipelines(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly after?: string | undefined; readonly limit?: number | undefined },
): Promise<readonly PipelineSummary[]> {
  let select = transaction.selectFrom("pipeline").selectAll().where("project", "=", query.project);
  if (query.after !== undefined) select = select.where("name", ">", query.after);
  const rows = await select
    .orderBy("name")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  const summaries: PipelineSummary[] = [];
  for (const row of rows) {
    const [lastRun] = await listPipelineRuns(transaction, { project: query.project, pipeline: row.name, limit: 1 });
    summaries.push({
      name: row.name,
      digest: row.digest,
      file: row.file,
      load: row.load,
      updatedAtMs: row.updated_at_ms,
      lastRun,
    });
  }
  return summaries;
}
