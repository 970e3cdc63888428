import { z } from "zod";
import { type Json, type LocatedProblem, parseYaml, type YamlDocument } from "#base";
import { findGithubProblems } from "./github-parser.ts";

/** Where GitHub looks for workflows, and so does esteira. */
export const WORKFLOW_FOLDER = ".github/workflows";

const json: z.ZodType<Json> = z.json();
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const text = scalar.transform(String);
const nothing = z.null().transform(() => undefined);
const optional = <Schema extends z.ZodType>(schema: Schema) => z.union([schema, nothing]).optional();
const texts = z.union([text.transform((one) => [one]), z.array(text)]);
const variables = z.union([
  z.record(z.string(), z.union([text, z.null().transform(() => "")])),
  // `env: ${{ fromJSON(…) }}`
  z.string(),
]);

const defaultsSchema = z.object({
  run: optional(z.object({ shell: optional(text), "working-directory": optional(text) })),
});

const stepSchema = z.object({
  id: optional(text),
  name: optional(text),
  if: optional(text),
  run: optional(text),
  uses: optional(text),
  with: optional(z.record(z.string(), z.union([text, z.null().transform(() => "")]))),
  env: optional(variables),
  shell: optional(text),
  "working-directory": optional(text),
  "continue-on-error": optional(text),
  "timeout-minutes": optional(text),
});

const jobSchema = z.object({
  name: optional(text),
  needs: optional(texts),
  if: optional(text),
  "runs-on": optional(json),
  permissions: optional(json),
  environment: optional(json),
  concurrency: optional(json),
  outputs: optional(z.record(z.string(), text)),
  env: optional(variables),
  defaults: optional(defaultsSchema),
  steps: optional(z.array(stepSchema)),
  "timeout-minutes": optional(text),
  "continue-on-error": optional(text),
  strategy: optional(z.object({ matrix: optional(json), "fail-fast": optional(text), "max-parallel": optional(text) })),
  container: optional(json),
  services: optional(json),
  uses: optional(text),
  with: optional(z.record(z.string(), json)),
  secrets: optional(z.union([z.literal("inherit"), z.record(z.string(), text)])),
});

const inputSchema = z.object({
  type: optional(z.enum(["string", "number", "boolean", "choice", "environment"])),
  default: optional(json),
  required: optional(z.boolean()),
  options: optional(z.array(text)),
  description: optional(text),
});
const filterSchema = z.object({
  branches: optional(texts),
  "branches-ignore": optional(texts),
  tags: optional(texts),
  "tags-ignore": optional(texts),
  paths: optional(texts),
  "paths-ignore": optional(texts),
  types: optional(texts),
});
const eventsSchema = z.looseObject({
  push: optional(filterSchema),
  pull_request: optional(filterSchema),
  pull_request_target: optional(filterSchema),
  schedule: optional(z.array(z.object({ cron: z.string(), timezone: optional(z.string()) }))),
  workflow_dispatch: optional(z.object({ inputs: optional(z.record(z.string(), optional(inputSchema))) })),
  workflow_call: optional(
    z.object({
      inputs: optional(z.record(z.string(), optional(inputSchema))),
      outputs: optional(z.record(z.string(), z.object({ value: text }))),
      secrets: optional(json),
    }),
  ),
});

const workflowSchema = z.object({
  name: optional(text),
  "run-name": optional(text),
  on: z.union([
    z.string().transform((one) => eventsSchema.parse({ [one]: undefined })),
    z.array(z.string()).transform((all) => eventsSchema.parse(Object.fromEntries(all.map((one) => [one, undefined])))),
    eventsSchema,
  ]),
  permissions: optional(json),
  env: optional(variables),
  defaults: optional(defaultsSchema),
  concurrency: optional(json),
  jobs: z.record(z.string(), jobSchema),
});

export type WorkflowFile = z.output<typeof workflowSchema>;
export type WorkflowJob = z.output<typeof jobSchema>;
export type WorkflowStep = z.output<typeof stepSchema>;
export type WorkflowInput = z.output<typeof inputSchema>;
export type EventFilter = z.output<typeof filterSchema>;
export type WorkflowEvents = z.output<typeof eventsSchema>;

/** A workflow that was read. */
export interface Workflow {
  /** Project-relative. */
  readonly file: string;
  readonly yaml: YamlDocument;
  readonly content: WorkflowFile;
}

/** Reads one file. Never throws for what it holds. */
export async function readWorkflow(
  file: string,
  content: string,
): Promise<{ readonly workflow: Workflow | undefined; readonly problems: readonly LocatedProblem[] }> {
  const { document: yaml, problems: unreadable } = parseYaml(content, file);
  if (unreadable.length > 0) return { workflow: undefined, problems: unreadable };
  const problems = await findGithubProblems(file, content);
  if (problems.length > 0) return { workflow: undefined, problems };
  const checked = workflowSchema.safeParse(yaml.value);
  if (checked.success) return { workflow: { file, yaml, content: checked.data }, problems: [] };
  return {
    workflow: undefined,
    problems: checked.error.issues.map(({ path, message }) => ({
      ...yaml.at(path.filter((part) => typeof part !== "symbol")),
      message: `${path.join(".")}: ${message}`,
    })),
  };
}

/** Names of the events that start a workflow. */
export function eventsOf({ on }: Pick<WorkflowFile, "on">): readonly string[] {
  return Object.keys(on);
}
