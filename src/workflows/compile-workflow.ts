import { posix } from "node:path";
import type { Json } from "#base";
import {
  type ConcurrencyDefinition,
  type ParamDefinition,
  type PipelineDefinition,
  PULL_REQUEST_ACTIONS,
  type StepDefinition,
} from "#pipeline";
import { callsAny, conditionSource, findExpressions } from "./expression.ts";
import { asText } from "./json.ts";
import { parseActionReference } from "./builtin-actions.ts";
import { type Combination, expandMatrix } from "./matrix.ts";
import { type Need, type PinnedJob, pinJob, type WorkflowCall } from "./pinned-job.ts";
import { findSecretNames, type NamedSecrets } from "./secret-names.ts";
import type { Workflow, WorkflowEvents, WorkflowInput, WorkflowJob } from "./workflow-file.ts";

/**
 * What becomes of jobs that cannot run here. `strict`: their workflow is refused, whatever the reason. `refuse`: the
 * same, but jobs that were never meant for this machine (another system, GitHub itself) are left out. `skip`: all of
 * them are left out.
 */
export const UNSUPPORTED = ["strict", "refuse", "skip"] as const;
export type Unsupported = (typeof UNSUPPORTED)[number];

/** What a project says of its workflows. */
export interface WorkflowSettings {
  /** `owner/name`. */
  readonly repository: string;
  readonly defaultBranch: string;
  readonly vars: Readonly<Record<string, string>>;
  /** Names of the secrets that workflows may read. */
  readonly secrets: readonly string[];
  /** Absolute. */
  readonly mirror?: string | undefined;
  readonly unsupported: Unsupported;
  /** True for an environment that the project guards: a job of a workflow would pass by its rules. */
  readonly isProtected?: ((environment: string) => boolean) | undefined;
}

/** Name of the kind of a job's step. */
export const JOB_KIND = "workflow_job";
/** Param of every workflow: the event that it is told of. A workflow may have an input of that name. */
const EVENT_PARAM = "event";

const MINUTE_MS = 60_000;
/** GitHub's own, and what a runner needs to clean up and end. */
const LONGEST_JOB_MINUTES = 360;
const MARGIN_MS = 6 * 60_000;
const MOST_RUNS = 20;
const DEEPEST_CALL = 4;

/** A job of a workflow, with what stands around it. */
export interface PlacedJob {
  readonly step: string;
  readonly workflow: Workflow;
  readonly id: string;
  readonly content: WorkflowJob;
  readonly calls: readonly WorkflowCall[];
  readonly needs: Readonly<Record<string, Need>>;
  readonly before: readonly string[];
  /** Steps that it waits for itself. */
  readonly direct: readonly string[];
  /** Undefined for a job without a matrix, and for one whose matrix is made when it starts. */
  readonly combinations: readonly Combination[] | undefined;
  readonly isDynamic: boolean;
}

/**
 * Every job of a workflow in the order of its needs, those of called workflows in the place of their call.
 *
 * @param workflows by file, for calls
 * @throws WORKFLOWS_MATRIX_WRONG
 */
export function placeJobs(workflow: Workflow, workflows: ReadonlyMap<string, Workflow>): readonly PlacedJob[] {
  return placeIn(workflow, workflows, { prefix: "", calls: [], direct: [], before: [] }).jobs;
}

interface Surrounding {
  readonly prefix: string;
  readonly calls: readonly WorkflowCall[];
  readonly direct: readonly string[];
  readonly before: readonly string[];
}

// oxlint-disable-next-line complexity -- one pass over the jobs, which know those before them
function placeIn(
  workflow: Workflow,
  workflows: ReadonlyMap<string, Workflow>,
  around: Surrounding,
): { readonly jobs: readonly PlacedJob[]; readonly needs: ReadonlyMap<string, Need> } {
  const placed: PlacedJob[] = [];
  const known = new Map<string, Need>();
  const beforeOf = new Map<string, readonly string[]>();
  for (const [id, content] of inOrder(workflow.content.jobs)) {
    const needs = Object.fromEntries(
      (content.needs ?? []).flatMap((need) => {
        const found = known.get(need);
        return found === undefined ? [] : [[need, found] as const];
      }),
    );
    const direct = [...new Set([...around.direct, ...Object.values(needs).flatMap(stepsOf)])];
    const before = [
      ...new Set([
        ...around.before,
        ...Object.values(needs).flatMap(stepsOf),
        ...(content.needs ?? []).flatMap((need) => beforeOf.get(need) ?? []),
      ]),
    ];
    beforeOf.set(id, before);
    const called = calledFile(content.uses, workflow.file);
    const target = called === undefined ? undefined : workflows.get(called);
    const matrix = content.strategy?.matrix;
    const isDynamic = matrix !== undefined && findExpressions(matrix).length > 0;
    const combinations = matrix === undefined || isDynamic ? undefined : expandMatrix(matrix, id);
    const step = `${around.prefix}${id}`;
    if (target === undefined || around.calls.length >= DEEPEST_CALL) {
      placed.push({ step, workflow, id, content, calls: around.calls, needs, before, direct, combinations, isDynamic });
      known.set(id, { type: "job", step });
      continue;
    }
    const all: Record<string, Need> = {};
    for (const [index, combination] of (combinations ?? [undefined]).entries()) {
      const suffix = combinations === undefined ? "" : `.${index + 1}`;
      const inner = placeIn(target, workflows, {
        prefix: `${step}${suffix}.`,
        calls: [...around.calls, toCall(id, content, target, { needs, before, matrix: combination })],
        direct,
        before,
      });
      placed.push(...inner.jobs);
      for (const [name, need] of inner.needs) all[combinations === undefined ? name : `${name}${suffix}`] = need;
    }
    known.set(id, {
      type: "call",
      jobs: all,
      outputs: Object.fromEntries(
        Object.entries(target.content.on.workflow_call?.outputs ?? {}).map(([name, { value }]) => [name, value]),
      ),
    });
  }
  return { jobs: placed, needs: known };
}

function toCall(
  job: string,
  content: WorkflowJob,
  target: Workflow,
  facts: {
    readonly needs: Readonly<Record<string, Need>>;
    readonly before: readonly string[];
    readonly matrix: Combination | undefined;
  },
): WorkflowCall {
  return {
    job,
    with: content.with ?? {},
    inputs: definedInputs(target.content.on.workflow_call?.inputs),
    secrets: content.secrets ?? {},
    needs: facts.needs,
    before: facts.before,
    ...(content.if === undefined ? {} : { if: content.if }),
    ...(facts.matrix === undefined ? {} : { matrix: facts.matrix }),
  };
}

/** What stands before the file of a workflow of another repository: `owner/name@ref:`. */
const MIRRORED = /^[^/:]+\/[^/:@]+@[^:]+:/;

/**
 * The file of a called workflow: `.github/workflows/x.yml` of the project, or one of the mirror as
 * `owner/name@ref:.github/workflows/x.yml`. Undefined for jobs with steps.
 *
 * @param caller file of the workflow that calls: what is local to it is of its own repository
 */
export function calledFile(uses: string | undefined, caller: string): string | undefined {
  if (uses === undefined) return undefined;
  if (uses.startsWith("./")) return `${MIRRORED.exec(caller)?.[0] ?? ""}${posix.normalize(uses.replace(/@.*$/, ""))}`;
  const reference = parseActionReference(uses);
  return reference === undefined ? undefined : `${reference.repository}@${reference.ref}:${reference.path}`;
}

/** Path in the mirror of a workflow of another repository; undefined for one of the project. */
export function mirroredFile(file: string): string | undefined {
  const prefix = MIRRORED.exec(file)?.[0];
  return prefix === undefined ? undefined : `${prefix.slice(0, -1)}/${file.slice(prefix.length)}`;
}

export function stepsOf(need: Need): readonly string[] {
  return need.type === "job" ? [need.step] : Object.values(need.jobs).flatMap(stepsOf);
}

/** GitHub's parser has refused circles already; what would stand in one is left out. */
function inOrder(jobs: Readonly<Record<string, WorkflowJob>>): readonly (readonly [string, WorkflowJob])[] {
  const open = new Map(Object.entries(jobs));
  const ordered: [string, WorkflowJob][] = [];
  for (let found = true; found && open.size > 0;) {
    found = false;
    for (const [id, job] of open) {
      if ((job.needs ?? []).some((need) => open.has(need))) continue;
      ordered.push([id, job]);
      open.delete(id);
      found = true;
    }
  }
  return ordered;
}

/** The pipeline that a workflow is. @throws WORKFLOWS_MATRIX_WRONG */
export function compileWorkflow(
  workflow: Workflow,
  facts: {
    readonly name: string;
    readonly jobs: readonly PlacedJob[];
    readonly settings: WorkflowSettings;
    /** Whether a combination of a job can run here. */
    readonly canRun: (job: PlacedJob, combination: Combination | undefined) => boolean;
    /** Why a job that its condition keeps out of ordinary runs would fail in others; empty when it would not. */
    readonly whyNot: (job: PlacedJob) => readonly string[];
  },
): PipelineDefinition {
  const { name, settings } = facts;
  const { content, file } = workflow;
  const running = facts.jobs.flatMap((job): readonly PlacedJob[] => {
    const combinations = job.combinations?.filter((one) => facts.canRun(job, one));
    if (combinations === undefined ? !facts.canRun(job, undefined) : combinations.length === 0) return [];
    return [{ ...job, combinations }];
  });
  const steps = new Set(running.map(({ step }) => step));
  const leftOut = new Map(facts.jobs.filter(({ step }) => !steps.has(step)).map((job) => [job.step, job]));
  return {
    format: "pipeline/1",
    name,
    file,
    load: "code",
    ...(content.name === undefined ? {} : { description: content.name }),
    on: {
      schedules: (content.on.schedule ?? []).map(({ cron, timezone }) => ({
        cron,
        timezone: timezone ?? "UTC",
        missed: "skip" as const,
      })),
      data: [],
      alert: [],
      // Which of them it is for is said by its filters, which know more than patterns of branches.
      push: "push" in content.on ? ["*"] : [],
      ...("pull_request" in content.on ? { pullRequest: { branches: ["*"], types: PULL_REQUEST_ACTIONS } } : {}),
      webhook: [],
    },
    params: toParams(workflow),
    concurrency: toConcurrency(content.concurrency, name) ?? { group: name, limit: MOST_RUNS },
    steps: running.map((job) => toStep(job, { name, workflow, settings, leftOut, cannot: facts.whyNot(job) })),
  };
}

/** Steps that a job waits for: in the place of one that is left out, those that it would have waited for. */
function waitsFor(direct: readonly string[], leftOut: ReadonlyMap<string, PlacedJob>): readonly string[] {
  return [
    ...new Set(
      direct.flatMap((step) => {
        const left = leftOut.get(step);
        return left === undefined ? [step] : waitsFor(left.direct, leftOut);
      }),
    ),
  ];
}

function toStep(
  job: PlacedJob,
  facts: {
    readonly name: string;
    readonly workflow: Workflow;
    readonly settings: WorkflowSettings;
    readonly leftOut: ReadonlyMap<string, PlacedJob>;
    readonly cannot: readonly string[];
  },
): StepDefinition {
  const { settings, leftOut, cannot } = facts;
  const secrets = secretsOf(job, settings);
  const gone = [...leftOut.keys()].filter(
    (step) => job.before.includes(step) || job.calls.some(({ before }) => before.includes(step)),
  );
  const pinned: PinnedJob = {
    format: "workflow-job/1",
    file: job.workflow.file,
    workflow: facts.workflow.content.name ?? facts.workflow.file,
    job: job.id,
    content: job.content,
    env: job.workflow.content.env,
    defaults: job.workflow.content.defaults,
    events: facts.workflow.content.on,
    calls: job.calls,
    needs: job.needs,
    before: job.before,
    isDynamic: job.isDynamic,
    lines: (job.content.steps ?? []).map((_, index) => job.workflow.yaml.at(["jobs", job.id, "steps", index]).line),
    repository: settings.repository,
    vars: settings.vars,
    defaultBranch: settings.defaultBranch,
    secrets,
    isStrict: settings.unsupported === "strict",
    ...(gone.length === 0 ? {} : { leftOut: gone }),
    ...(cannot.length === 0 ? {} : { cannot }),
    ...(settings.mirror === undefined ? {} : { mirror: settings.mirror }),
  };
  const when = conditionOf(job);
  const concurrency = concurrencyOf(job, facts.name);
  return {
    name: job.step,
    kind: JOB_KIND,
    load: "code",
    declaration: {
      workflow_job: pinJob(pinned),
      params: "${{ params }}",
      trigger: "${{ trigger }}",
      ...(job.combinations === undefined ? {} : { matrix: "${{ matrix }}" }),
    },
    needs: waitsFor(job.direct, leftOut),
    inputs: [],
    makes: [],
    params: {},
    env: {},
    secrets,
    cache: false,
    timeoutMs: (staticNumber(job.content["timeout-minutes"]) ?? LONGEST_JOB_MINUTES) * MINUTE_MS + MARGIN_MS,
    ...(when === undefined ? {} : { when }),
    ...(job.combinations === undefined ? {} : { matrix: job.combinations }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(job.content.name === undefined ? {} : { description: job.content.name }),
  };
}

/** The engine lets the job itself decide where its condition, or one before it, may ask for the state of the run. */
function conditionOf({ content, calls, direct }: PlacedJob): string | undefined {
  const conditions = [content.if ?? "", ...calls.map((call) => call.if ?? "")];
  if (conditions.some((one) => callsAny(one, ["always", "cancelled"]))) return "always()";
  return direct.length > 0 ? "!cancelled()" : undefined;
}

function concurrencyOf(job: PlacedJob, pipeline: string): ConcurrencyDefinition | undefined {
  const stated = toConcurrency(job.content.concurrency, `${pipeline}.${job.step}`);
  if (stated !== undefined) return stated;
  const ports = fixedPorts(job.content.services);
  if (ports.length > 0) return { group: `workflow ports ${ports.join(" ")}`, limit: 1 };
  const most = staticNumber(job.content.strategy?.["max-parallel"]);
  return most === undefined ? undefined : { group: `${pipeline}.${job.step}`, limit: Math.max(1, Math.floor(most)) };
}

/**
 * A group that holds an expression is one group for all its values: what GitHub keeps apart may wait, what it lets wait
 * never runs at once.
 */
function toConcurrency(stated: Json | undefined, place: string): ConcurrencyDefinition | undefined {
  const group =
    typeof stated === "string"
      ? stated
      : typeof stated === "object" && stated !== null && "group" in stated
        ? asText(stated["group"])
        : undefined;
  if (group === undefined) return undefined;
  return { group: `workflow ${findExpressions(group).length > 0 ? `${place} ` : ""}${group}`, limit: 1 };
}

/** Ports of this machine that services ask for by number. */
function fixedPorts(services: Json | undefined): readonly number[] {
  if (typeof services !== "object" || services === null || Array.isArray(services)) return [];
  const ports = Object.values(services).flatMap((service) => {
    const stated = typeof service === "object" && service !== null && "ports" in service ? service["ports"] : undefined;
    return Array.isArray(stated) ? stated.map(String) : [];
  });
  const fixed = ports.flatMap((port) => /^(\d+):\d+/.exec(port)?.[1] ?? []);
  return [...new Set(fixed.map(Number))].toSorted((left, right) => left - right);
}

function staticNumber(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

/** Names of the secrets that a job reads, as its caller's caller knows them. */
export function secretsReadBy(job: PlacedJob): NamedSecrets {
  const { content } = job;
  const conditions = [content, ...(content.steps ?? []), ...job.calls].flatMap((one) =>
    one.if === undefined ? [] : [conditionSource(one.if)],
  );
  const matrices = job.combinations ?? [];
  const texts = [content, job.workflow.content.env].map((one) => findExpressions(one).map(({ source }) => source));
  let read = findSecretNames([...texts.flat(), ...conditions], matrices);
  // From the innermost call outwards: what it hands on decides what is read of its caller's.
  for (const call of job.calls.toReversed()) {
    if (call.secrets === "inherit") continue;
    const wanted = Object.entries(call.secrets).filter(([name]) => read.isAll || read.names.has(name.toUpperCase()));
    const sources = findExpressions(wanted.map(([, text]) => text)).map(({ source }) => source);
    const outer = findSecretNames(sources, call.matrix === undefined ? [] : [call.matrix]);
    // The token belongs to every job, called or not.
    const names = new Set([...outer.names, ...(read.names.has("GITHUB_TOKEN") ? ["GITHUB_TOKEN"] : [])]);
    read = { ...outer, names, unknown: [...read.unknown, ...outer.unknown] };
  }
  return read;
}

/** Secrets that the project grants and the job, or a call around it, names. */
function secretsOf(job: PlacedJob, { secrets }: WorkflowSettings): readonly string[] {
  const { names, isAll } = secretsReadBy(job);
  return secrets.filter((name) => isAll || names.has(name.toUpperCase()));
}

export function definedInputs(
  inputs: Readonly<Record<string, WorkflowInput | undefined>> | undefined,
): Readonly<Record<string, WorkflowInput>> {
  return Object.fromEntries(Object.entries(inputs ?? {}).map(([name, input]) => [name, input ?? {}]));
}

/** Name of the param that tells of the event: one that is no input of the workflow. */
export function eventParamOf({ workflow_dispatch: dispatch }: WorkflowEvents): string {
  const inputs = Object.keys(dispatch?.inputs ?? {});
  let name = EVENT_PARAM;
  while (inputs.includes(name)) name = `github_${name}`;
  return name;
}

/** Inputs that a person gives; what an event does not give has GitHub's own empty value. */
function toParams({ content }: Workflow): Readonly<Record<string, ParamDefinition>> {
  const inputs = definedInputs(content.on.workflow_dispatch?.inputs);
  const params: Record<string, ParamDefinition> = {
    [eventParamOf(content.on)]: {
      type: "any",
      default: null,
      description: "Event that the workflow is told of: its name, or a map with name and payload.",
    },
  };
  for (const [name, input] of Object.entries(inputs)) params[name] = toParam(input);
  return params;
}

// oxlint-disable-next-line complexity -- one case for each type of input
function toParam({ type = "string", default: value, required, options, description }: WorkflowInput): ParamDefinition {
  const described = description === undefined ? {} : { description };
  if (value === undefined && required === true) return { type: "any", default: null, ...described };
  switch (type) {
    case "boolean":
      return { type: "boolean", default: value === true || value === "true", ...described };
    case "number":
      return { type: "number", default: Number(value ?? 0), ...described };
    case "choice":
      return {
        type: "string",
        default: asText(value ?? options?.[0]),
        ...(options === undefined ? {} : { choices: options }),
        ...described,
      };
    case "string":
    case "environment":
      return { type: "string", default: asText(value), ...described };
  }
}
