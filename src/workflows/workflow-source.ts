import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { LocatedProblem } from "#base";
import { isEsteiraError } from "#base";
import type { PipelineDefinition, PipelineSource, ProjectFiles, StepKind } from "#pipeline";
import { checkWorkflow, type JobProblem } from "./check-workflow.ts";
import { compileWorkflow, placeJobs, type PlacedJob, type WorkflowSettings } from "./compile-workflow.ts";
import type { Combination } from "./matrix.ts";
import { findCommand } from "./runner/processes.ts";
import { SERVER_FOLDERS } from "./service-images.ts";
import { eventsOf, readWorkflow, type Workflow, WORKFLOW_FOLDER } from "./workflow-file.ts";

/**
 * What a workflow is to a project. `ready`: a pipeline. `called`: only other workflows start it. `refused`: it holds
 * what this machine cannot do. `invalid`: its file has mistakes.
 */
export type WorkflowState = "ready" | "called" | "refused" | "invalid";

/** One file of the folder of workflows, as it was found. */
export interface FoundWorkflow {
  /** Project-relative. */
  readonly file: string;
  /** Of the pipeline that it is, or would be. */
  readonly name: string;
  readonly title: string | undefined;
  readonly state: WorkflowState;
  readonly events: readonly string[];
  /** Step runs of a run of it: jobs and their combinations. */
  readonly jobs: number;
  /** What is wrong with the file, or cannot run here. */
  readonly problems: readonly LocatedProblem[];
  readonly warnings: readonly LocatedProblem[];
  readonly pipeline: PipelineDefinition | undefined;
}

/** Workflows as pipelines, and what is known of those that are none. */
export interface WorkflowSource extends PipelineSource {
  find(files: ProjectFiles, taken: ReadonlySet<string>): Promise<readonly FoundWorkflow[]>;
}

/** @param options.searchPath where commands of services and shells are looked for */
export function createWorkflowSource(options: {
  readonly settings: WorkflowSettings;
  readonly kinds: readonly StepKind<never>[];
  readonly searchPath: string;
}): WorkflowSource {
  const find = (files: ProjectFiles, taken: ReadonlySet<string>): Promise<readonly FoundWorkflow[]> =>
    findWorkflows(files, { ...options, taken });
  return {
    kinds: options.kinds,
    find,
    async read(files, taken) {
      const found = await find(files, taken);
      return {
        pipelines: found.flatMap(({ pipeline }) => pipeline ?? []),
        notices: found.flatMap(({ state, problems, warnings }) => [
          ...problems.map((problem) =>
            state === "refused"
              ? { ...problem, message: `${problem.message}: the workflow does not run here` }
              : problem,
          ),
          ...warnings,
        ]),
      };
    },
  };
}

interface Finding {
  readonly settings: WorkflowSettings;
  readonly searchPath: string;
  readonly taken: ReadonlySet<string>;
}

async function findWorkflows(files: ProjectFiles, finding: Finding): Promise<readonly FoundWorkflow[]> {
  const paths = await files.glob(`${WORKFLOW_FOLDER}/*.{yml,yaml}`);
  const read = await Promise.all(
    paths.map(async (file) => ({ file, ...(await readWorkflow(file, (await files.readFile(file)) ?? "")) })),
  );
  const workflows = new Map(
    read.flatMap(({ file, workflow }) => (workflow === undefined ? [] : [[file, workflow] as const])),
  );
  const names = new Set(finding.taken);
  const found: FoundWorkflow[] = [];
  for (const { file, workflow, problems } of read) {
    const name = nameOf(file, names);
    names.add(name);
    found.push(
      workflow === undefined
        ? {
            file,
            name,
            title: undefined,
            state: "invalid",
            events: [],
            jobs: 0,
            problems,
            warnings: [],
            pipeline: undefined,
          }
        : await judge(workflow, name, { files, finding, workflows }),
    );
  }
  return found;
}

/** The file's own name; one that a pipeline has already gets a word before it. */
function nameOf(file: string, taken: ReadonlySet<string>): string {
  const plain = basename(file)
    .replace(/\.ya?ml$/, "")
    .replaceAll(/[^A-Za-z0-9_.-]/g, "-")
    .slice(0, 80);
  const name = /^[A-Za-z_]/.test(plain) ? plain : `workflow.${plain}`;
  return taken.has(name) ? `workflow.${name}` : name;
}

async function judge(
  workflow: Workflow,
  name: string,
  facts: {
    readonly files: ProjectFiles;
    readonly finding: Finding;
    readonly workflows: ReadonlyMap<string, Workflow>;
  },
): Promise<FoundWorkflow> {
  const { settings, searchPath } = facts.finding;
  const events = eventsOf(workflow.content);
  const known = { file: workflow.file, name, title: workflow.content.name, events };
  const { mirror } = settings;
  let jobs: readonly PlacedJob[];
  try {
    jobs = placeJobs(workflow, facts.workflows);
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    const problem = { ...workflow.yaml.atKey(["jobs"]), message: error.message };
    return { ...known, state: "invalid", jobs: 0, problems: [problem], warnings: [], pipeline: undefined };
  }
  const { problems, warnings } = await checkWorkflow(workflow, jobs, {
    settings,
    workflows: facts.workflows,
    readProjectFile: (path) => facts.files.readFile(path),
    readMirrorFile: async (path) =>
      mirror === undefined ? undefined : readFile(join(mirror, path), "utf8").catch(() => undefined),
    hasCommand: (command) => Promise.resolve(findCommand(command, searchPath, SERVER_FOLDERS) !== undefined),
  });
  const count = jobs.reduce((sum, job) => sum + (job.combinations?.length ?? 1), 0);
  const told = { ...known, jobs: count, problems, warnings };
  // Its inputs come from its caller: alone, it is no pipeline.
  if (events.every((event) => event === "workflow_call"))
    return { ...told, state: problems.length === 0 ? "called" : "refused", pipeline: undefined };
  if (problems.length > 0 && !settings.skipsUnsupported) return { ...told, state: "refused", pipeline: undefined };
  const pipeline = compileWorkflow(workflow, {
    name,
    jobs,
    settings,
    canRun: (job, combination) => !problems.some((problem) => concerns(problem, job, combination)),
  });
  return pipeline.steps.length === 0
    ? { ...told, state: "refused", pipeline: undefined }
    : { ...told, state: "ready", pipeline };
}

function concerns({ step, combination }: JobProblem, job: PlacedJob, asked: Combination | undefined): boolean {
  return step === job.step && (combination === undefined || combination === asked);
}
