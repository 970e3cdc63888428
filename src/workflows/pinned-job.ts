import { z } from "zod";
import type { Json } from "#base";
import type { WorkflowEvents, WorkflowFile, WorkflowInput, WorkflowJob } from "./workflow-file.ts";

/** What a job waits for: another job, or all the jobs of a workflow that is called. */
export type Need =
  | { readonly type: "job"; readonly step: string }
  | {
      readonly type: "call";
      readonly jobs: Readonly<Record<string, Need>>;
      /** Output of the called workflow → its expression. */
      readonly outputs: Readonly<Record<string, string>>;
    };

/** One `uses: ./.github/workflows/…` around a job, as the caller wrote it. */
export interface WorkflowCall {
  readonly job: string;
  readonly with: Readonly<Record<string, Json>>;
  readonly inputs: Readonly<Record<string, WorkflowInput>>;
  readonly secrets: "inherit" | Readonly<Record<string, string>>;
  readonly if?: string;
  readonly needs: Readonly<Record<string, Need>>;
  /** All that stands before it, however far back. */
  readonly before: readonly string[];
  readonly matrix?: Readonly<Record<string, Json>>;
}

/** A job with everything that it needs of its file: what was checked is what runs. */
export interface PinnedJob {
  readonly format: "workflow-job/1";
  readonly file: string;
  readonly workflow: string;
  readonly job: string;
  readonly content: WorkflowJob;
  readonly env: WorkflowFile["env"];
  readonly defaults: WorkflowFile["defaults"];
  readonly events: WorkflowEvents;
  /** Around it, from the outermost inwards. */
  readonly calls: readonly WorkflowCall[];
  readonly needs: Readonly<Record<string, Need>>;
  /** Steps of all jobs before it, however far back. */
  readonly before: readonly string[];
  /** Its combinations are made when it starts: from outputs of the jobs before it. */
  readonly isDynamic: boolean;
  /** Places of its steps in the file, for errors: line of each. */
  readonly lines: readonly number[];
  readonly repository: string;
  readonly vars: Readonly<Record<string, string>>;
  readonly defaultBranch: string;
  /** Absolute folder of mirrored actions. */
  readonly mirror?: string;
  /** Secrets that the project grants and the job may read. */
  readonly secrets: readonly string[];
  /** What turns out to be for another system when it starts fails; else it is left out. Undefined in older ones. */
  readonly isStrict?: boolean;
  /** Of the steps before it: those that cannot run here. Undefined: none. */
  readonly leftOut?: readonly string[];
  /** Why it cannot run here: ordinary runs skip it, one that reaches it fails. Undefined: it can. */
  readonly cannot?: readonly string[];
}

/** What the step of a job declares. esteira's expressions read its texts: the job's own are out of their sight. */
export interface JobDeclaration {
  readonly workflow_job: string;
  readonly matrix?: Readonly<Record<string, Json>> | null | undefined;
  readonly params?: Readonly<Record<string, Json>> | null | undefined;
  readonly trigger?: Readonly<Record<string, Json>> | null | undefined;
}

const record = z.record(z.string(), z.json());

export const declarationSchema: z.ZodType<JobDeclaration> = z.strictObject({
  workflow_job: z.string().describe("The job, as it was read from its workflow."),
  matrix: record.nullish(),
  params: record.nullish(),
  trigger: record.nullish(),
});

/** As text in which nothing looks like an expression. */
export function pinJob(job: PinnedJob): string {
  return JSON.stringify(job).replaceAll("${{", String.raw`$\u007b{`);
}

/** The text was made by {@link pinJob} and stands in a definition that is kept by its digest. */
export function unpinJob(text: string): PinnedJob {
  const pinned: PinnedJob = JSON.parse(text);
  return pinned;
}
