import { z } from "zod";
import { otherFiles } from "../kinds/run.ts";

const chosen = z.union([z.string().min(1), z.array(z.string().min(1))]).optional();

/** `dbt: analytics` and what belongs to it. */
export interface DbtDeclaration {
  readonly dbt: string;
  readonly select?: string | readonly string[] | undefined;
  readonly exclude?: string | readonly string[] | undefined;
  readonly vars?: Readonly<Record<string, unknown>> | undefined;
  readonly target?: string | undefined;
  readonly threads?: number | undefined;
  readonly full_refresh?: boolean | undefined;
  readonly sources?: Readonly<Record<string, string>> | undefined;
  readonly requirements?: string | undefined;
  readonly files?: string | readonly string[] | undefined;
}

export const dbtSchema: z.ZodType<DbtDeclaration> = z.strictObject({
  dbt: z.string().min(1).describe("Folder of a dbt project: the one that holds dbt_project.yml."),
  select: chosen.describe("What is built, in dbt's words: names, folders, tag:NAME, with + and @; default everything."),
  exclude: chosen.describe("What is left out of that, in the same words."),
  vars: z.record(z.string(), z.json()).optional().describe("Variables of the project: what var() gives."),
  target: z
    .string()
    .regex(/^[A-Za-z_][\w-]*$/, "expected a name")
    .optional()
    .describe("What target.name is; default dev. The connection is the platform's own."),
  threads: z.int().min(1).max(64).optional().describe("Nodes that dbt builds at once; default 4."),
  full_refresh: z
    .boolean()
    .optional()
    .describe("true: incremental models are made anew each time. Snapshots go on, as in dbt, where they forbid it."),
  sources: z
    .record(z.string(), z.string())
    .optional()
    .describe("SOURCE.TABLE: DATASET, where a source's table is called otherwise than the dataset."),
  requirements: z
    .string()
    .optional()
    .describe("Requirements file, for other versions of dbt-core and dbt-duckdb or for Python models."),
  files: otherFiles,
});
