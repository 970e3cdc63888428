import { z } from "zod";
import type { StepRunStatus } from "./pipeline-run.ts";

const LARGEST_PAGE = 1000;

/** `…/:name` */
export interface NameParams {
  readonly name: string;
}
export const nameParams: z.ZodType<NameParams> = z.object({ name: z.string().min(1).max(500) });

/** `…/:id` */
export interface IdParams {
  readonly id: string;
}
export const idParams: z.ZodType<IdParams> = z.object({ id: z.string().min(1).max(200) });

/** `…/:name/versions/:version` */
export interface VersionParams {
  readonly name: string;
  readonly version: number;
}
export const versionParams: z.ZodType<VersionParams> = z.object({
  name: z.string().min(1).max(500),
  version: z.coerce.number().int().min(1),
});

/** `endpoints/:environment/:name` */
export interface EndpointParams {
  readonly environment: string;
  readonly name: string;
}
export const endpointParams: z.ZodType<EndpointParams> = z.object({
  environment: z.string().min(1).max(100),
  name: z.string().min(1).max(500),
});

/** Keyset paging; `limit` is 1 to 1,000, default 100. */
export interface PageQuery {
  readonly after?: string | undefined;
  readonly limit: number;
}
const page = {
  after: z
    .string()
    .max(500)
    .regex(/^[^\0]*$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(LARGEST_PAGE).default(100),
};
export const pageQuery: z.ZodType<PageQuery> = z.object(page);

export interface PipelineRunsQuery extends PageQuery {
  readonly pipeline?: string | undefined;
  readonly status?: "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled" | "interrupted" | undefined;
}
export const pipelineRunsQuery: z.ZodType<PipelineRunsQuery> = z.object({
  ...page,
  pipeline: z.string().max(500).optional(),
  status: z.enum(["queued", "running", "waiting", "succeeded", "failed", "cancelled", "interrupted"]).optional(),
});

/** Step runs of a pipeline run, in the order of the graph. */
export interface StepRunsQuery extends PageQuery {
  readonly status?: StepRunStatus | undefined;
  /** Name of the step. */
  readonly step?: string | undefined;
  /** Only the step run of this id. */
  readonly stepRun?: string | undefined;
}
export const stepRunsQuery: z.ZodType<StepRunsQuery> = z.object({
  ...page,
  after: z
    .string()
    .regex(/^\d{1,15}\.\d{1,15}$/)
    .optional(),
  status: z.enum(["pending", "queued", "running", "waiting", "succeeded", "failed", "skipped", "cancelled"]).optional(),
  step: z.string().max(500).optional(),
  stepRun: z.string().max(200).optional(),
});

/** Reads a log from a sequence on. */
export interface LogQuery {
  /** Highest sequence already read; default 0: from the start. */
  readonly after: number;
  /** Most chunks in one answer, which also ends at 4 MB of text. */
  readonly limit: number;
}
export const logQuery: z.ZodType<LogQuery> = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(5000).default(2000),
});

/** Which version; default: the latest. */
export interface VersionQuery {
  readonly version?: number | undefined;
}
export const versionQuery: z.ZodType<VersionQuery> = z.object({ version: z.coerce.number().int().min(1).optional() });

/** A stretch of rows of one version. */
export interface RowsQuery {
  readonly version?: number | undefined;
  readonly offset: number;
  readonly limit: number;
  /** Column that all rows of the version are sorted by, nulls last; default: as stored. */
  readonly sort?: string | undefined;
  readonly order?: "ascending" | "descending" | undefined;
}
export const rowsQuery: z.ZodType<RowsQuery> = z.object({
  version: z.coerce.number().int().min(1).optional(),
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(LARGEST_PAGE).default(200),
  sort: z.string().min(1).max(500).optional(),
  order: z.enum(["ascending", "descending"]).optional(),
});

export interface QuarantineQuery extends PageQuery {
  readonly rule?: string | undefined;
  readonly state?: "open" | "replayed" | "discarded" | "superseded" | undefined;
}
export const quarantineQuery: z.ZodType<QuarantineQuery> = z.object({
  ...page,
  rule: z.string().max(500).optional(),
  state: z.enum(["open", "replayed", "discarded", "superseded"]).optional(),
});

export interface LineageQuery {
  readonly direction: "upstream" | "downstream";
}
export const lineageQuery: z.ZodType<LineageQuery> = z.object({
  direction: z.enum(["upstream", "downstream"]).default("upstream"),
});

/** Which execution of a notebook: one source may have been executed by many step runs. */
export interface NotebookQuery {
  /** Id of a step run; default: the one that made the version. */
  readonly stepRun?: string | undefined;
}

export const notebookQuery: z.ZodType<NotebookQuery> = z.object({ stepRun: z.string().optional() });

/** Predictions, newest first. */
export interface PredictionsQuery extends PageQuery {
  /** Predictions of this time on, epoch milliseconds. */
  readonly fromMs?: number | undefined;
  /** Before this time, epoch milliseconds. */
  readonly toMs?: number | undefined;
  readonly modelVersion?: number | undefined;
  readonly labelled?: "yes" | "no" | undefined;
}
export const predictionsQuery: z.ZodType<PredictionsQuery> = z.object({
  ...page,
  fromMs: z.coerce.number().int().optional(),
  toMs: z.coerce.number().int().optional(),
  modelVersion: z.coerce.number().int().min(1).optional(),
  labelled: z.enum(["yes", "no"]).optional(),
});

/** One window of an endpoint. */
export interface WindowQuery {
  /** The window that holds this time, epoch milliseconds; default: the newest. */
  readonly at?: number | undefined;
  /** Default: the size that the endpoint's monitors use. */
  readonly size?: string | undefined;
}
export const windowQuery: z.ZodType<WindowQuery> = z.object({
  at: z.coerce.number().optional(),
  size: z.string().max(40).optional(),
});

export interface AlertsQuery extends PageQuery {
  readonly state?: "open" | "acknowledged" | "closed" | undefined;
}
export const alertsQuery: z.ZodType<AlertsQuery> = z.object({
  ...page,
  state: z.enum(["open", "acknowledged", "closed"]).optional(),
});

export interface ReleasesQuery extends PageQuery {
  readonly environment?: string | undefined;
  readonly asset?: string | undefined;
}
export const releasesQuery: z.ZodType<ReleasesQuery> = z.object({
  ...page,
  environment: z.string().max(100).optional(),
  asset: z.string().max(500).optional(),
});

/** Two releases by id, or two environments by name. */
export interface ComparisonQuery {
  /** Default: what a release replaced; of an environment what ran before its last change. */
  readonly from?: string | undefined;
  readonly to: string;
}
export const comparisonQuery: z.ZodType<ComparisonQuery> = z.object({
  from: z.string().min(1).max(100).optional(),
  to: z.string().min(1).max(100),
});

/** A moment, or a release by id. */
export interface StateQuery {
  readonly to?: string | undefined;
}
export const stateQuery: z.ZodType<StateQuery> = z.object({ to: z.string().min(1).max(100).optional() });

/** Where to pick the event stream up; browsers send the header `Last-Event-ID` instead. */
export interface ChangesQuery {
  readonly after?: number | undefined;
}
export const changesQuery: z.ZodType<ChangesQuery> = z.object({ after: z.coerce.number().int().min(0).optional() });

/** Answer of a command that started or changed something. */
export interface Acknowledged {
  readonly id: string;
}
export const acknowledged: z.ZodType<Acknowledged> = z.object({ id: z.string() });

/** Which recipes are compared: `approved`, `waiting`, a version number; `none` shows the whole of `after`. */
/** How many pipeline runs are looked at, newest first. */
export interface TestHistoryQuery {
  readonly runs: number;
}
export const testHistoryQuery: z.ZodType<TestHistoryQuery> = z.object({
  runs: z.coerce.number().int().min(1).max(500).default(50),
});

export interface RecipeQuery {
  readonly before?: string | undefined;
  /** Also the digest of a recipe that waits for approval. */
  readonly after?: string | undefined;
  /** `before` is by default what is approved for it, else what is live there. */
  readonly environment?: string | undefined;
}
const recipeName = z
  .string()
  .max(20)
  .regex(/^(approved|waiting|latest|none|\d+)$/);
export const recipeQuery: z.ZodType<RecipeQuery> = z.object({
  before: recipeName.optional(),
  after: z.union([recipeName, z.string().regex(/^sha256:[0-9a-f]{64}$/)]).optional(),
  environment: z.string().min(1).max(200).optional(),
});

const LARGEST_SQL = 100_000;
const MOST_ROWS = 100_000;

/** A SELECT over datasets, by name: `flights` is its latest version, `"flights@3"` version 3. */
export interface NewQuery {
  readonly sql: string;
  /** Most rows of the answer; default 1,000. */
  readonly limit?: number | undefined;
}
export const newQuery: z.ZodType<NewQuery> = z.object({
  sql: z.string().min(1).max(LARGEST_SQL).describe('One SELECT; a table is a dataset, `"flights@3"` its version 3.'),
  limit: z.int().min(1).max(MOST_ROWS).optional().describe("Most rows of the answer; default 1,000."),
});
