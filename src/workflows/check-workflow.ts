import { posix } from "node:path";
import type { Json, LocatedProblem } from "#base";
import { ACTION_FILES, readAction } from "./action-file.ts";
import { builtinOf, parseActionReference } from "./builtin-actions.ts";
import { calledFile, type PlacedJob, type WorkflowSettings } from "./compile-workflow.ts";
import { findExpressions, interpolate, splitExpressions } from "./expression.ts";
import { asText, isList } from "./json.ts";
import type { Combination } from "./matrix.ts";
import { SERVICE_KINDS, serviceKindOf } from "./service-images.ts";
import type { Workflow } from "./workflow-file.ts";

/** What checking sees of the project and the machine. */
export interface CheckContext {
  readonly settings: WorkflowSettings;
  /** A project file; undefined when there is none. */
  readonly readProjectFile: (path: string) => Promise<string | undefined>;
  /** A file of the mirror, by its path in it. */
  readonly readMirrorFile: (path: string) => Promise<string | undefined>;
  hasCommand(name: string): Promise<boolean>;
  readonly workflows: ReadonlyMap<string, Workflow>;
}

/** Why a job, or one combination of it, cannot run here. */
export interface JobProblem extends LocatedProblem {
  readonly step: string;
  /** Undefined: all of them. */
  readonly combination?: Combination | undefined;
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
    problems.push(...runnerProblems(job), ...(await serviceProblems(job, context)), ...jobProblems(job, context));
    for (const index of (job.content.steps ?? []).keys()) problems.push(...(await stepProblems(job, index, context)));
    warnings.push(...jobWarnings(job, context));
  }
  return { problems, warnings: unique(warnings) };
}

function unique(problems: readonly LocatedProblem[]): readonly LocatedProblem[] {
  return [...new Map(problems.map((one) => [`${one.file}:${one.line}:${one.column}:${one.message}`, one])).values()];
}

function placeIn(job: PlacedJob, path: readonly (string | number)[]) {
  return job.workflow.yaml.at(["jobs", job.id, ...path]);
}

const OTHER_SYSTEM = /\b(windows|macos|mac)([-_]|$)|^(windows|macos)$/i;

/** Runners of another system; of each combination, where the matrix names them. */
function runnerProblems(job: PlacedJob): readonly JobProblem[] {
  const { content } = job;
  const labels = content["runs-on"];
  if (labels === undefined) return [];
  const problems: JobProblem[] = [];
  for (const combination of job.combinations ?? [undefined]) {
    for (const label of labelsOf(labels, combination)) {
      if (!OTHER_SYSTEM.test(label)) continue;
      problems.push({
        ...placeIn(job, ["runs-on"]),
        step: job.step,
        ...(combination === undefined ? {} : { combination }),
        message: `job "${job.id}" runs on ${label}: this machine runs Linux`,
      });
    }
  }
  return problems;
}

/** Labels that are known before the run; an expression that asks for more than the matrix says nothing yet. */
function labelsOf(stated: Json, combination: Combination | undefined): readonly string[] {
  if (typeof stated === "string") {
    if (findExpressions(stated).length === 0) return [stated];
    if (combination === undefined) return [];
    try {
      const value = interpolate(stated, { contexts: { matrix: combination } });
      return typeof value === "string" ? [value] : labelsOf(value, undefined);
    } catch {
      return [];
    }
  }
  if (isList(stated)) return stated.flatMap((one) => labelsOf(one, combination));
  if (typeof stated === "object" && stated !== null && "labels" in stated)
    return labelsOf(stated["labels"] ?? null, combination);
  return [];
}

function jobProblems(job: PlacedJob, { workflows }: CheckContext): readonly JobProblem[] {
  const { content } = job;
  const problems: JobProblem[] = [];
  const add = (path: readonly string[], message: string, hint?: string): void =>
    void problems.push({ ...placeIn(job, path), step: job.step, message, ...(hint === undefined ? {} : { hint }) });
  const { container } = content;
  if (container !== undefined && container !== "")
    add(["container"], `job "${job.id}" runs in a container: there are no containers here`);
  const called = calledFile(content.uses);
  if (content.uses !== undefined && called === undefined)
    add(
      ["uses"],
      `job "${job.id}" calls a workflow of another repository: ${content.uses}`,
      "Copy it into .github/workflows and call it from there.",
    );
  else if (called !== undefined && !workflows.has(called))
    add(["uses"], `job "${job.id}" calls ${called}, which is not there or has mistakes`);
  else if (called !== undefined) add(["uses"], `job "${job.id}" calls workflows more than four deep`);
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

// oxlint-disable-next-line complexity -- one check after the other
async function stepProblems(job: PlacedJob, index: number, context: CheckContext): Promise<readonly JobProblem[]> {
  const step = job.content.steps?.[index];
  if (step === undefined) return [];
  const at = (key: string) => placeIn(job, ["steps", index, key]);
  const problem = (key: string, message: string, hint?: string): JobProblem => ({
    ...at(key),
    step: job.step,
    message,
    ...(hint === undefined ? {} : { hint }),
  });
  const shell = step.shell?.trim().split(/\s+/)[0] ?? "";
  if (step.run !== undefined && ["pwsh", "powershell", "cmd"].includes(shell)) {
    if (shell !== "pwsh" || !(await context.hasCommand("pwsh")))
      return [problem("shell", `the shell ${shell} is not on this machine`)];
  }
  if (step.uses === undefined) return [];
  const found = await actionProblem(step.uses, context, 0);
  if (found !== undefined) return [problem("uses", found.message, found.hint)];
  const repository = step.with?.["repository"];
  if (
    builtinOf(step.uses) === "actions/checkout" &&
    repository !== undefined &&
    repository !== "" &&
    !repository.includes("${{") &&
    repository.toLowerCase() !== context.settings.repository.toLowerCase()
  )
    return [problem("with", `the checkout of another repository (${repository}) is not possible here`)];
  return [];
}

const DEEPEST_ACTION = 9;

// oxlint-disable-next-line complexity -- one check after the other
async function actionProblem(
  uses: string,
  context: CheckContext,
  depth: number,
): Promise<{ readonly message: string; readonly hint?: string } | undefined> {
  if (depth > DEEPEST_ACTION) return { message: `${uses}: actions use each other more than ${DEEPEST_ACTION} deep` };
  if (uses.startsWith("docker://")) return { message: `${uses} is an image: there are no containers here` };
  if (builtinOf(uses) !== undefined) return undefined;
  const isLocal = uses.startsWith("./");
  const reference = isLocal ? undefined : parseActionReference(uses);
  if (!isLocal && reference === undefined) return { message: `"${uses}" names no action` };
  const { mirror } = context.settings;
  const folder = isLocal
    ? posix.normalize(uses).replace(/\/$/, "")
    : posix.join(`${reference?.repository ?? ""}@${reference?.ref ?? ""}`, reference?.path ?? "");
  if (folder.startsWith("../")) return { message: `${uses} leads out of the project` };
  if (!isLocal && mirror === undefined)
    return {
      message: `the action ${uses} is not built in`,
      hint: "Put it into a folder and name that: workflows: { mirror: FOLDER } in esteira.yaml.",
    };
  const read = isLocal ? context.readProjectFile : context.readMirrorFile;
  for (const name of ACTION_FILES) {
    const file = posix.join(folder, name);
    const text = await read(file);
    if (text === undefined) continue;
    const { action, problem } = readAction(text, file);
    if (problem !== undefined) return { message: problem };
    if (action.runs.using === "docker") return { message: `${uses} is a Docker action: there are no containers here` };
    if (action.runs.using !== "composite") return undefined;
    for (const step of action.runs.steps) {
      const inner = step.uses === undefined ? undefined : await actionProblem(step.uses, context, depth + 1);
      if (inner !== undefined) return { ...inner, message: `${uses} uses what cannot run: ${inner.message}` };
    }
    return undefined;
  }
  if (isLocal) {
    if ((await read(posix.join(folder, "Dockerfile"))) !== undefined)
      return { message: `${uses} is a Docker action: there are no containers here` };
    return { message: `there is no ${ACTION_FILES.join(" or ")} in ${folder}` };
  }
  return {
    message: `the action ${uses} is not built in, and not in the mirror`,
    hint: `Put it there as ${folder}.`,
  };
}

function workflowWarnings(workflow: Workflow): readonly LocatedProblem[] {
  const { content, yaml } = workflow;
  const warnings: LocatedProblem[] = [];
  if (cancelsInProgress(content.concurrency))
    warnings.push({
      ...yaml.at(["concurrency", "cancel-in-progress"]),
      message: "a newer run waits for the older one: cancel-in-progress ends none here",
    });
  if (content.on.pull_request_target !== undefined || "pull_request_target" in content.on)
    warnings.push({
      ...yaml.atKey(["on", "pull_request_target"]),
      message: "pull_request_target is never started here: it would give a stranger's change the project's secrets",
    });
  if (grantsToken(content.permissions))
    warnings.push({ ...yaml.at(["permissions"]), message: "no OIDC token is given here: id-token does nothing" });
  return warnings;
}

function cancelsInProgress(concurrency: Json | undefined): boolean {
  return (
    typeof concurrency === "object" &&
    concurrency !== null &&
    "cancel-in-progress" in concurrency &&
    concurrency["cancel-in-progress"] !== false
  );
}

function grantsToken(permissions: Json | undefined): boolean {
  return (
    typeof permissions === "object" &&
    permissions !== null &&
    "id-token" in permissions &&
    permissions["id-token"] === "write"
  );
}

/** Texts that people outside choose: put into a script, they are run as part of it. */
const CHOSEN_OUTSIDE =
  /\bgithub\s*\.\s*(head_ref|event\s*\.\s*(pull_request\s*\.\s*(title|body|head\s*\.\s*(ref|label|repo\s*\.\s*default_branch))|issue\s*\.\s*(title|body)|comment\s*\.\s*body|review\s*\.\s*body|review_comment\s*\.\s*body|discussion\s*\.\s*(title|body)|head_commit\s*\.\s*(message|author\s*\.\s*(name|email))|commits|pages|workflow_run\s*\.\s*(head_branch|head_commit|display_title)))/i;

// oxlint-disable-next-line complexity -- one check after the other
function jobWarnings(job: PlacedJob, { settings }: CheckContext): readonly LocatedProblem[] {
  const warnings: LocatedProblem[] = [];
  const granted = new Set(settings.secrets.map((name) => name.toUpperCase()));
  const ofJob = findExpressions(job.content);
  for (const { path, source } of ofJob)
    for (const [, name = ""] of source.matchAll(/\bsecrets\s*\.\s*([A-Za-z_][A-Za-z0-9_-]*)/gi))
      if (name.toUpperCase() !== "GITHUB_TOKEN" && !granted.has(name.toUpperCase()) && job.calls.length === 0)
        warnings.push({
          ...placeIn(job, path),
          message: `the secret ${name} is not granted to workflows: it is empty`,
          hint: `Grant it: workflows: { secrets: [${name}] } in esteira.yaml.`,
        });
  for (const [index, step] of (job.content.steps ?? []).entries()) {
    const script =
      step.run ?? (builtinOf(step.uses ?? "") === "actions/github-script" ? step.with?.["script"] : undefined);
    const place = placeIn(job, ["steps", index, step.run === undefined ? "with" : "run"]);
    for (const { type, text } of splitExpressions(script ?? ""))
      if (type === "expression" && CHOSEN_OUTSIDE.test(text))
        warnings.push({
          ...place,
          message: `\${{ ${text.trim()} }} stands in a script: whoever chooses that text can run commands`,
          hint: "Put it into env, and read the variable in the script.",
        });
    if (step.if !== undefined && mixesText(step.if))
      warnings.push({
        ...placeIn(job, ["steps", index, "if"]),
        message: "text stands beside an expression: the whole is a text, which always holds",
        hint: "Put the whole condition between the braces, or leave them out.",
      });
  }
  if (grantsToken(job.content.permissions))
    warnings.push({ ...placeIn(job, ["permissions"]), message: "no OIDC token is given here: id-token does nothing" });
  return warnings;
}

function mixesText(condition: string): boolean {
  const parts = splitExpressions(condition.trim());
  return parts.length > 1 && parts.some(({ type }) => type === "expression");
}
