import type { LocatedProblem } from "#base";
import { builtinOf, mirrorHint, parseActionReference } from "./builtin-actions.ts";
import { type ActionProblem, findActionProblem, findToolProblem } from "./check-actions.ts";
import { calledFile, type PlacedJob, type WorkflowSettings } from "./compile-workflow.ts";
import { worksOnGithub } from "./github-actions.ts";
import { asText } from "./json.ts";
import type { MachineTool } from "./machine-tools.ts";
import type { Combination } from "./matrix.ts";
import { environmentOf, otherSystemOf } from "./runner-labels.ts";
import { SERVICE_KINDS, serviceKindOf } from "./service-images.ts";
import type { Workflow } from "./workflow-file.ts";
import { jobWarnings, workflowWarnings } from "./workflow-warnings.ts";

/** What checking sees of the project and the machine. */
export interface CheckContext {
  readonly settings: WorkflowSettings;
  /** A project file; undefined when there is none. */
  readonly readProjectFile: (path: string) => Promise<string | undefined>;
  /** A file of the mirror, by its path in it. */
  readonly readMirrorFile: (path: string) => Promise<string | undefined>;
  hasCommand(name: string): Promise<boolean>;
  /** Versions of a tool on this machine, with their programs. */
  toolVersions(tool: MachineTool): Promise<ReadonlyMap<string, string>>;
  readonly workflows: ReadonlyMap<string, Workflow>;
}

/** Why a job, or one combination of it, cannot run here. */
export interface JobProblem extends LocatedProblem {
  readonly step: string;
  /** Undefined: all of them. */
  readonly combination?: Combination | undefined;
  /** It was never meant for this machine: another system, GitHub itself, a version beside one that is here. */
  readonly isElsewhere: boolean;
  /** Repository that the mirror lacks, as `owner/name@ref`. */
  readonly missing?: string;
}

export interface CheckedWorkflow {
  readonly problems: readonly JobProblem[];
  /** Runs, but not as its author may think. */
  readonly warnings: readonly LocatedProblem[];
}

/** Looks for what this machine cannot do, before anything starts. */
export async function checkWorkflow(
  workflow: Workflow,
  jobs: readonly PlacedJob[],
  context: CheckContext,
): Promise<CheckedWorkflow> {
  const problems: JobProblem[] = [];
  const warnings: LocatedProblem[] = [...workflowWarnings(workflow)];
  for (const job of jobs) {
    problems.push(
      ...systemProblems(job),
      ...(await serviceProblems(job, context)),
      ...jobProblems(job, context),
      ...(await toolProblems(job, context)),
    );
    for (const index of (job.content.steps ?? []).keys()) problems.push(...(await stepProblems(job, index, context)));
    warnings.push(...jobWarnings(job, context.settings));
  }
  return { problems, warnings: reportedOnce(warnings) };
}

/** Each problem once: a workflow that several call, and a list of steps with an anchor, are read more than once. */
export function reportedOnce<Problem extends LocatedProblem>(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((one) => [`${one.file}:${one.line}:${one.column}:${one.message}`, one])).values()];
}

function placeIn(job: PlacedJob, path: readonly (string | number)[]) {
  return job.workflow.yaml.at(["jobs", job.id, ...path]);
}

/** Runners of another system; of each combination, where the matrix names them. */
function systemProblems(job: PlacedJob): readonly JobProblem[] {
  return (job.combinations ?? [undefined]).flatMap((combination) => {
    const scope = combination === undefined ? undefined : { contexts: { matrix: combination } };
    const label = otherSystemOf(job.content["runs-on"], scope);
    if (label === undefined) return [];
    return {
      ...placeIn(job, ["runs-on"]),
      step: job.step,
      ...(combination === undefined ? {} : { combination }),
      isElsewhere: true,
      message: `job "${job.id}" runs on ${label}: this machine runs Linux`,
    };
  });
}

function jobProblems(job: PlacedJob, { workflows, settings }: CheckContext): readonly JobProblem[] {
  const { content, workflow } = job;
  const problems: JobProblem[] = [];
  const add = (path: readonly string[], found: Omit<ActionProblem, "isElsewhere">): void =>
    void problems.push({ ...placeIn(job, path), step: job.step, isElsewhere: false, ...found });
  const { container } = content;
  if (container !== undefined && container !== "")
    add(["container"], { message: `job "${job.id}" runs in a container: there are no containers here` });
  for (const combination of job.combinations ?? [{}]) {
    const environment = environmentOf(content.environment, { contexts: { matrix: combination } });
    if (environment !== undefined && settings.isProtected?.(environment) === true)
      add(["environment"], {
        message: `job "${job.id}" is for the environment ${environment}, which the project guards: a workflow would pass by its rules`,
        hint: "Deploy there with a step of a pipeline: deploy: ASSET.",
      });
  }
  if (content.uses === undefined) return problems;
  const called = calledFile(content.uses, workflow.file);
  const reference = parseActionReference(content.uses);
  if (called !== undefined && workflows.has(called))
    add(["uses"], { message: `job "${job.id}" calls workflows more than four deep` });
  else if (reference !== undefined && worksOnGithub(reference.repository.toLowerCase()))
    problems.push({
      ...placeIn(job, ["uses"]),
      step: job.step,
      isElsewhere: true,
      message: `job "${job.id}": ${content.uses} works on GitHub itself`,
    });
  else if (reference === undefined)
    add(["uses"], { message: `job "${job.id}" calls ${content.uses}, which is not there or has mistakes` });
  else
    add(["uses"], {
      message: `job "${job.id}" calls a workflow of another repository, which is not in the mirror: ${content.uses}`,
      hint: `${settings.mirror === undefined ? "Name a folder, workflows: { mirror: FOLDER } in esteira.yaml. " : ""}${mirrorHint(reference)}`,
      missing: `${reference.repository}@${reference.ref}`,
    });
  return problems;
}

// oxlint-disable-next-line complexity -- one check after the other
async function serviceProblems(job: PlacedJob, context: CheckContext): Promise<readonly JobProblem[]> {
  const { services } = job.content;
  if (services === undefined) return [];
  const problems: JobProblem[] = [];
  const add = (name: string, message: string, hint?: string): void =>
    void problems.push({
      ...placeIn(job, ["services", name, "image"]),
      step: job.step,
      isElsewhere: false,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  if (typeof services !== "object" || services === null || Array.isArray(services)) {
    add("", "the services are an expression, which is not supported here");
    return problems;
  }
  for (const [name, service] of Object.entries(services)) {
    const image =
      typeof service === "string"
        ? service
        : typeof service === "object" && service !== null && "image" in service
          ? service["image"]
          : undefined;
    // An image that an expression names is known when the job starts.
    if (typeof image !== "string" || image.includes("${{")) {
      const guess = typeof image === "string" ? image.replaceAll(/\$\{\{.*?\}\}/g, "") : "";
      if (serviceKindOf(guess) !== undefined || guess === "") continue;
    }
    const kind = serviceKindOf(asText(image));
    if (kind === undefined) {
      add(
        name,
        `service "${name}" is the image ${asText(image)}: as a process there are ${Object.keys(SERVICE_KINDS).join(", ")}`,
      );
      continue;
    }
    const missing: string[] = [];
    for (const command of SERVICE_KINDS[kind].commands) if (!(await context.hasCommand(command))) missing.push(command);
    if (missing.length > 0)
      add(
        name,
        `service "${name}" needs ${missing.join(" and ")}, which this machine does not have`,
        `Install ${kind}.`,
      );
  }
  return problems;
}

/** Tools that set-up actions ask for. A version that is not here is left out, where the job also runs with others. */
async function toolProblems(job: PlacedJob, context: CheckContext): Promise<readonly JobProblem[]> {
  const problems: JobProblem[] = [];
  const lacking = new Set<Combination | undefined>();
  const combinations = job.combinations ?? [undefined];
  for (const [index, step] of (job.content.steps ?? []).entries())
    for (const combination of combinations) {
      // One that a condition leaves out is not asked for; whether it does is known only when it runs.
      const found = step.if === undefined ? await findToolProblem(step, combination, context) : undefined;
      if (found === undefined) continue;
      lacking.add(combination);
      problems.push({
        ...placeIn(job, ["steps", index, "uses"]),
        step: job.step,
        ...(combination === undefined ? {} : { combination }),
        isElsewhere: false,
        ...found,
      });
    }
  const here = combinations.filter((one) => !systemProblems(job).some(({ combination }) => combination === one));
  const isPart = here.some((one) => !lacking.has(one));
  return isPart ? problems.map((one) => ({ ...one, isElsewhere: true })) : problems;
}

// oxlint-disable-next-line complexity -- one check after the other
async function stepProblems(job: PlacedJob, index: number, context: CheckContext): Promise<readonly JobProblem[]> {
  const step = job.content.steps?.[index];
  if (step === undefined) return [];
  const problem = (key: string, found: ActionProblem): JobProblem => ({
    ...placeIn(job, ["steps", index, key]),
    step: job.step,
    isElsewhere: false,
    ...found,
  });
  const shell = step.shell?.trim().split(/\s+/)[0] ?? "";
  if (step.run !== undefined && ["pwsh", "powershell", "cmd"].includes(shell)) {
    if (shell !== "pwsh" || !(await context.hasCommand("pwsh")))
      return [problem("shell", { message: `the shell ${shell} is not on this machine` })];
  }
  if (step.uses === undefined) return [];
  const found = await findActionProblem(step.uses, context);
  if (found !== undefined)
    return [
      problem("uses", found.isElsewhere === true ? { ...found, message: `job "${job.id}": ${found.message}` } : found),
    ];
  const repository = step.with?.["repository"];
  if (
    builtinOf(step.uses) === "actions/checkout" &&
    repository !== undefined &&
    repository !== "" &&
    !repository.includes("${{") &&
    repository.toLowerCase() !== context.settings.repository.toLowerCase()
  )
    return [problem("with", { message: `the checkout of another repository (${repository}) is not possible here` })];
  return [];
}
