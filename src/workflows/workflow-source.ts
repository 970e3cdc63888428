import { readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import type { LocatedProblem } from "#base";
import { isEsteiraError } from "#base";
import type { PipelineDefinition, PipelineSource, ProjectFiles, StepKind } from "#pipeline";
import { checkWorkflow, type JobProblem, reportedOnce } from "./check-workflow.ts";
import {
  calledFile,
  compileWorkflow,
  eventParamOf,
  mirroredFile,
  placeJobs,
  type PlacedJob,
  type WorkflowSettings,
} from "./compile-workflow.ts";
import { isGuarded } from "./guarded-jobs.ts";
import { toolVersions } from "./machine-tools.ts";
import type { Combination } from "./matrix.ts";
import { findCommand } from "./runner/processes.ts";
import { SERVER_FOLDERS } from "./service-images.ts";
import { eventsOf, readWorkflow, type Workflow, WORKFLOW_FOLDER } from "./workflow-file.ts";

/**
 * What a workflow is to a project. `ready`: a pipeline. `called`: only other workflows start it. `elsewhere`: all of
 * its jobs are for GitHub alone, or for another system. `refused`: it holds what this machine cannot do. `invalid`: its
 * file has mistakes.
 */
export type WorkflowState = "ready" | "called" | "elsewhere" | "refused" | "invalid";

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
  /** Jobs, or combinations of them, that are left out: the rest runs. */
  readonly leftOut: readonly LocatedProblem[];
  readonly warnings: readonly LocatedProblem[];
  /** Repositories of actions that the mirror lacks, as `owner/name@ref`. */
  readonly missing: readonly string[];
  /** Param of the pipeline that tells of the event. */
  readonly eventParam: string;
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
        notices: reportedOnce(
          found.flatMap(({ state, problems, leftOut, warnings }) => [
            ...problems.map((problem) =>
              state === "refused"
                ? { ...problem, message: `${problem.message}: the workflow does not run here` }
                : problem,
            ),
            ...leftOut.map((problem) => ({ ...problem, message: `${problem.message}: it is left out` })),
            ...warnings,
          ]),
        ),
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
  await addMirrored(workflows, finding.settings);
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
            leftOut: [],
            warnings: [],
            missing: [],
            eventParam: "",
            pipeline: undefined,
          }
        : await judge(workflow, name, { files, finding, workflows }),
    );
  }
  return found;
}

/** Reads what workflows call of other repositories, and what those call, from the mirror. */
async function addMirrored(workflows: Map<string, Workflow>, { mirror }: WorkflowSettings): Promise<void> {
  if (mirror === undefined) return;
  const asked = new Set<string>();
  for (let open = [...workflows.values()]; open.length > 0;) {
    const [caller] = open.splice(0, 1);
    for (const { uses } of Object.values(caller?.content.jobs ?? {})) {
      const file = calledFile(uses, caller?.file ?? "");
      const path = file === undefined || asked.has(file) ? undefined : mirroredFile(file);
      if (file === undefined || path === undefined || !path.includes(`/${WORKFLOW_FOLDER}/`)) continue;
      asked.add(file);
      const text = await readMirrored(mirror, path);
      const { workflow } = text === undefined ? {} : await readWorkflow(file, text);
      if (workflow === undefined) continue;
      workflows.set(file, workflow);
      open = [...open, workflow];
    }
  }
}

/** A file of the mirror; undefined when there is none, or a link leads out. */
async function readMirrored(mirror: string, path: string): Promise<string | undefined> {
  const real = await realpath(join(mirror, path)).catch(() => undefined);
  if (real === undefined || !real.startsWith(`${await realpath(mirror)}/`)) return undefined;
  return readFile(real, "utf8").catch(() => undefined);
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
  const known = {
    file: workflow.file,
    name,
    title: workflow.content.name,
    events,
    eventParam: eventParamOf(workflow.content.on),
  };
  const { mirror } = settings;
  let jobs: readonly PlacedJob[];
  try {
    jobs = placeJobs(workflow, facts.workflows);
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    const problem = { ...workflow.yaml.atKey(["jobs"]), message: error.message };
    return {
      ...known,
      state: "invalid",
      jobs: 0,
      problems: [problem],
      leftOut: [],
      warnings: [],
      missing: [],
      pipeline: undefined,
    };
  }
  const { problems: all, warnings } = await checkWorkflow(workflow, jobs, {
    settings,
    workflows: facts.workflows,
    readProjectFile: (path) => facts.files.readFile(path),
    readMirrorFile: (path) => (mirror === undefined ? Promise.resolve(undefined) : readMirrored(mirror, path)),
    toolVersions: (tool) => toolVersions(tool, searchPath),
    hasCommand: (command) => Promise.resolve(findCommand(command, searchPath, SERVER_FOLDERS) !== undefined),
  });
  const { isStrict, skips } = { isStrict: settings.unsupported === "strict", skips: settings.unsupported === "skip" };
  const isLeftOut = ({ isElsewhere }: JobProblem): boolean => skips || (isElsewhere && !isStrict);
  // Of a job that is left out as a whole nothing else is asked.
  const gone = new Set(all.filter((one) => isLeftOut(one) && one.combination === undefined).map(({ step }) => step));
  const guarded = new Set(
    jobs.filter((job) => !isStrict && isGuarded(job, workflow.content.on, settings)).map(({ step }) => step),
  );
  const cannot = all.filter((one) => !isLeftOut(one) && !gone.has(one.step));
  const later = cannot.filter(({ step }) => guarded.has(step));
  const problems = reportedOnce(cannot.filter(({ step }) => !guarded.has(step)));
  const told = {
    ...known,
    jobs: jobs.reduce((sum, job) => sum + (job.combinations?.length ?? 1), 0),
    problems,
    leftOut: reportedOnce(all.filter(isLeftOut)),
    warnings: reportedOnce([...later.map(toWarning), ...warnings]),
    missing: [...new Set(all.flatMap(({ missing }) => missing ?? []))],
  };
  if (problems.length > 0) return { ...told, state: "refused", pipeline: undefined };
  // Its inputs come from its caller: alone, it is no pipeline.
  if (events.every((event) => event === "workflow_call")) return { ...told, state: "called", pipeline: undefined };
  const pipeline = compileWorkflow(workflow, {
    name,
    jobs,
    settings,
    canRun: (job, combination) => !all.some((one) => isLeftOut(one) && concerns(one, job, combination)),
    whyNot: (job) => [...new Set(later.filter(({ step }) => step === job.step).map(({ message }) => message))],
  });
  return pipeline.steps.length === 0
    ? { ...told, state: "elsewhere", pipeline: undefined }
    : { ...told, state: "ready", pipeline };
}

/** What a job that ordinary runs skip cannot do here. */
function toWarning({ file, line, column, message, hint, step }: JobProblem): LocatedProblem {
  return {
    file,
    line,
    column,
    message: `${message}: its condition keeps job "${step}" out of pushes and pull requests; a run that reaches it fails`,
    ...(hint === undefined ? {} : { hint }),
  };
}

function concerns({ step, combination }: JobProblem, job: PlacedJob, asked: Combination | undefined): boolean {
  return step === job.step && (combination === undefined || combination === asked);
}
