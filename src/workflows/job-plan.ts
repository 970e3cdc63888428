import { z } from "zod";
import type { Json } from "#base";
import type { WorkflowFile, WorkflowJob } from "./workflow-file.ts";

/** What the runner of a job is told, as the JSON file that its argument names. */
export interface JobPlan {
  readonly format: "job-plan/1";
  readonly file: string;
  readonly job: string;
  /** How people tell this combination from the others. */
  readonly title: string;
  readonly content: WorkflowJob;
  readonly env: WorkflowFile["env"];
  readonly defaults: WorkflowFile["defaults"];
  readonly lines: readonly number[];
  readonly contexts: Readonly<
    Record<"github" | "needs" | "strategy" | "matrix" | "vars" | "inputs", Readonly<Record<string, Json>>>
  >;
  /** Names of the runner's variables that hold the secrets. */
  readonly secrets: readonly string[];
  /** What each call around the job makes of them. */
  readonly secretMaps: readonly ("inherit" | Readonly<Record<string, string>>)[];
  readonly timeoutMs: number;
  /** What a checkout takes; absolute folder. */
  readonly source: { readonly folder: string; readonly commit?: string; readonly branch?: string };
  readonly mirror?: string;
  /** Absolute folders of this job alone. */
  readonly folders: {
    readonly workspace: string;
    readonly temporary: string;
    readonly tools: string;
    readonly artifacts: string;
    readonly caches: string;
  };
  /** Artifacts of the jobs before it: name → absolute archive. */
  readonly artifacts: Readonly<Record<string, string>>;
  /** Folders with kept caches, in the order in which they are asked. */
  readonly caches: readonly string[];
  /** Absolute: where the result is left. */
  readonly result: string;
}

const LARGEST_TEXT = 1_048_576;
const outcome = z.enum(["success", "failure", "cancelled", "skipped"]);

/** The runner works beside the steps of the user: what it leaves is read as anything from outside. */
export const jobResultSchema = z.strictObject({
  format: z.literal("job-result/1"),
  result: z.enum(["success", "failure", "cancelled"]),
  reason: z.string().max(2000),
  outputs: z.record(z.string().max(500), z.string().max(LARGEST_TEXT)),
  steps: z
    .array(
      z.strictObject({
        name: z.string().max(500),
        outcome,
        conclusion: outcome,
        durationMs: z.number(),
      }),
    )
    .max(2000),
  annotations: z
    .array(
      z.strictObject({
        level: z.enum(["notice", "warning", "error"]),
        message: z.string().max(4000),
        title: z.string().max(500).optional(),
        file: z.string().max(1000).optional(),
        line: z.number().optional(),
      }),
    )
    .max(100),
  summary: z.string().max(LARGEST_TEXT),
  artifacts: z.array(z.strictObject({ name: z.string().min(1).max(256), files: z.number() })).max(500),
  caches: z.array(z.strictObject({ key: z.string().min(1).max(512), version: z.string().max(100) })).max(100),
  coverage: z.number().min(0).max(1).optional(),
});
export type JobResult = z.output<typeof jobResultSchema>;

/** What is known of a kept cache. */
export const cacheEntrySchema = z.strictObject({
  key: z.string(),
  version: z.string(),
  createdAtMs: z.number(),
});
