import type { AssetVersion } from "#metadata-store";
import { type Json, messageOf } from "#base";
import type { PipelineDefinition, StepDefinition } from "../define/definition.ts";
import { findExpressions, holds, parseCondition, stepsReadBy } from "../define/interpolate.ts";
import { parseExpression, type Scope, STATUS } from "../define/expression.ts";
import { assertValid, createAnalysisContext, type LoadedProject } from "../define/load-project.ts";
import { createProjectFiles, type ProjectFiles } from "../define/project-files.ts";
import { checkParams, reasonToRunAgain, selectSteps, type Selection } from "./selection.ts";
import { indexOf } from "../define/definition-index.ts";
import { type Partition, partitionScope, samplePartition } from "./partition.ts";
import { pipelineUnknown, stepUnknown } from "../errors.ts";
import type { PastRuns, PastStepRun } from "./past-runs.ts";
import { explainDifference, type StoredParts } from "./cache-key.ts";
import { askCache, keyOfStep, prepareStep, type PreparedStep, reasonNotToCache } from "./prepare-step.ts";

/** What a condition hears when something before it failed, or the run was cancelled. */
const AFTER_FAILURE = { success: false, failure: true, always: true, cancelled: true };

/**
 * What would happen to a step: it runs, its earlier result is reused, or that shows once what it reads was made anew.
 */
export type PlannedAction = "run" | "cached" | "depends" | "skip";

export interface PlannedStep {
  readonly step: string;
  readonly kind: string;
  readonly description: string;
  readonly action: PlannedAction;
  /** Why, in one line. */
  readonly reason: string;
  readonly needs: readonly string[];
  readonly makes: readonly string[];
  /** Step runs: combinations of its matrix, else 1. */
  readonly stepRuns: number;
  /** The part that it comes from, and where that is used. */
  readonly from?: StepDefinition["from"];
}

export interface Plan {
  readonly pipeline: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly steps: readonly PlannedStep[];
}

export interface PlanRequest extends Selection {
  readonly past: PastRuns;
  readonly loaded: LoadedProject;
  readonly pipeline: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Which partition it would make; default: the first that its pipeline declares. */
  readonly partition?: Partition | undefined;
}

/**
 * Says what a run of a pipeline would do, step by step, without doing anything.
 *
 * @throws PIPELINE_DEFINITION_INVALID, PIPELINE_UNKNOWN, PIPELINE_STEP_UNKNOWN, PIPELINE_PARAM_UNKNOWN,
 *   PIPELINE_PARAM_MISSING, PIPELINE_PARAM_WRONG
 */
export async function plan(request: PlanRequest): Promise<Plan> {
  const definition = findDefinition(request.loaded, request.pipeline);
  const { from, only } = request;
  const selected = selectSteps(definition, {
    ...(from === undefined ? {} : { from }),
    ...(only === undefined ? {} : { only }),
  });
  const params = checkParams(definition, request.params ?? {});
  const planner = createPlanner(request.past, request.loaded, definition, { params, partition: request.partition });
  const changing = new Map<string, string>();
  const steps: PlannedStep[] = [];
  for (const step of selected) {
    const planned = runAgain(await planner.planStep(step, changing), request);
    if (planned.action === "run" || planned.action === "depends")
      for (const { asset } of step.makes) changing.set(asset, step.name);
    steps.push(planned);
  }
  return { pipeline: definition.name, params, steps };
}

/** As the engine does: a step that was named runs though it could be reused. */
function runAgain(planned: PlannedStep, selection: Selection): PlannedStep {
  const reason = reasonToRunAgain(planned.step, selection);
  return reason === undefined || planned.action === "skip" || planned.reason.startsWith("it would fail")
    ? planned
    : { ...planned, action: "run", reason };
}

function findDefinition(loaded: LoadedProject, pipeline: string): PipelineDefinition {
  assertValid(loaded);
  const definition = loaded.pipelines.find((one) => one.name === pipeline);
  if (definition === undefined) throw pipelineUnknown({ pipeline, pipelines: loaded.pipelines.map((one) => one.name) });
  return definition;
}

function createPlanner(
  past: PastRuns,
  loaded: LoadedProject,
  definition: PipelineDefinition,
  of: { readonly params: Readonly<Record<string, Json>>; readonly partition?: Partition | undefined },
) {
  const { params } = of;
  const partition =
    of.partition ?? (definition.partitions === undefined ? undefined : samplePartition(definition.partitions));
  const files = createProjectFiles(loaded.projectFolder);
  const known = new Map(
    loaded.pipelines.flatMap((pipeline) =>
      pipeline.steps.flatMap((step) => [
        [step.name, "data"] as const,
        ...step.makes.map(({ asset, kind }) => [asset, kind] as const),
      ]),
    ),
  );
  const scopeOf = (step: StepDefinition): Scope => ({
    params,
    matrix: step.matrix?.[0] ?? {},
    ...(partition === undefined ? {} : { partition: partitionScope(partition) }),
    steps: {},
    trigger: { kind: "manual" },
    run: { id: "" },
    project: loaded.project,
  });
  const prepare = (step: StepDefinition): Promise<PreparedStep> =>
    prepareStep(step, {
      project: loaded.project,
      kinds: loaded.kinds,
      files,
      scope: scopeOf(step),
      knownAssets: known,
      file: definition.file,
      partition,
    });

  async function planStep(step: StepDefinition, changing: ReadonlyMap<string, string>): Promise<PlannedStep> {
    const kind = loaded.kinds.get(step.kind)?.kind;
    const facts = factsOf(step);
    if (step.forEach !== undefined && !readsSteps(step))
      return {
        ...facts,
        description: step.kind,
        action: "depends",
        reason: "each of its items is looked at when the run has listed them",
      };
    if (readsSteps(step))
      return {
        ...facts,
        description: step.kind,
        action: "depends",
        reason: "it uses what earlier steps of the run say",
      };
    const held = heldBy(step, scopeOf(step));
    if (held !== undefined) return { ...facts, description: step.kind, ...held };
    let prepared: PreparedStep;
    try {
      prepared = await prepare(step);
    } catch (error) {
      return { ...facts, description: step.kind, action: "run", reason: `it would fail: ${messageOf(error)}` };
    }
    const judged = await judge(past, { loaded, definition, step, prepared, files, changing, partition });
    const found =
      judged.action === "run"
        ? await kind?.preview?.(
            prepared.declaration,
            createAnalysisContext({ project: loaded.project, files, step: step.name, knownAssets: known, partition }),
          )
        : undefined;
    return {
      ...facts,
      description: kind?.describe(prepared.declaration) ?? step.kind,
      ...judged,
      ...(found === undefined ? {} : { reason: `${judged.reason}; ${found}` }),
    };
  }

  return { planStep, prepare, files };
}

function factsOf(step: StepDefinition): Omit<PlannedStep, "description" | "action" | "reason"> {
  return {
    step: step.name,
    kind: step.kind,
    needs: step.needs,
    makes: step.makes.map(({ asset }) => asset),
    stepRuns: step.matrix?.length ?? 1,
    ...(step.from === undefined ? {} : { from: step.from }),
  };
}

/** What a condition that does not hold now means: nothing, or that it holds after a failure. */
function heldBy(
  { when }: StepDefinition,
  scope: Scope,
): { readonly action: "depends" | "skip"; readonly reason: string } | undefined {
  if (when === undefined || holds(when, scope)) return undefined;
  return holds(when, { ...scope, [STATUS]: AFTER_FAILURE })
    ? { action: "depends", reason: `it runs only after a failure: ${when}` }
    : { action: "skip", reason: `when is false: ${when}` };
}

function readsSteps(step: StepDefinition): boolean {
  const expressions = findExpressions({
    declaration: step.declaration,
    params: step.params,
    env: step.env,
    forEach: step.forEach ?? null,
  } as unknown as Json).map(({ source }) => parseExpression(source));
  if (step.when !== undefined) expressions.push(parseCondition(step.when));
  return expressions.some((expression) => stepsReadBy(expression).length > 0);
}

async function judge(
  past: PastRuns,
  facts: {
    readonly loaded: LoadedProject;
    readonly definition: PipelineDefinition;
    readonly step: StepDefinition;
    readonly prepared: PreparedStep;
    readonly files: ProjectFiles;
    readonly changing: ReadonlyMap<string, string>;
    readonly partition: Partition | undefined;
  },
): Promise<{ readonly action: PlannedAction; readonly reason: string }> {
  const { loaded, definition, step, prepared, files, changing, partition } = facts;
  if (!prepared.cacheable) return { action: "run", reason: reasonNotToCache(step) };
  const versions = await latestVersions(past, loaded.project, prepared, { definition, partition });
  const missing = prepared.analysis.inputs.filter(
    ({ asset, optional }) => versions.get(asset) === undefined && optional !== true && !changing.has(asset),
  );
  if (missing.length > 0)
    return { action: "run", reason: `it would fail: ${missing.map(({ asset }) => asset).join(", ")} has no version` };
  const key = await keyOfStep(prepared, files, (asset) => versions.get(asset));
  const answer = await askCache(past, key, {
    project: loaded.project,
    pipeline: definition.name,
    step: step.name,
    matrixIndex: 0,
    partition: partition?.name,
  });
  const remade = prepared.analysis.inputs.filter(({ asset }) => changing.has(asset)).map(({ asset }) => asset);
  if (answer.hit !== undefined)
    return remade.length === 0
      ? { action: "cached", reason: answer.reason }
      : {
          action: "depends",
          reason: `reused if ${remade.join(", ")} come${remade.length === 1 ? "s" : ""} out unchanged`,
        };
  return { action: "run", reason: answer.reason };
}

async function latestVersions(
  past: PastRuns,
  project: string,
  prepared: PreparedStep,
  { definition, partition }: { readonly definition: PipelineDefinition; readonly partition: Partition | undefined },
): Promise<ReadonlyMap<string, AssetVersion>> {
  const versions = new Map<string, AssetVersion>();
  const own = indexOf(definition).assets;
  for (const { asset } of prepared.analysis.inputs) {
    const version = await past.latestVersion({ project, asset });
    const made =
      partition === undefined || !own.has(asset)
        ? undefined
        : await past.partitionMade({ project, asset, partition: partition.name });
    if (version !== undefined)
      versions.set(asset, made === undefined ? version : { ...version, digest: made.identity });
  }
  return versions;
}

/** Why a step ran or was reused the last time, and what the next run would do. */
export interface Why {
  readonly pipeline: string;
  readonly step: string;
  /** Undefined when it never ran. */
  readonly last: PastStepRun | undefined;
  readonly next: PlannedStep;
  /** What differs between the result in the cache and the state now, part by part; empty when nothing does. */
  readonly changes: readonly string[];
  readonly key: string | undefined;
}

/**
 * Explains a step: what happened last, what would happen now, and which parts of its cache key changed.
 *
 * @param request.pipeline needed only when two pipelines have a step of that name
 * @throws PIPELINE_DEFINITION_INVALID, PIPELINE_UNKNOWN, PIPELINE_STEP_UNKNOWN
 */
export async function why(request: {
  readonly past: PastRuns;
  readonly loaded: LoadedProject;
  readonly step: string;
  readonly pipeline?: string | undefined;
  readonly params?: Readonly<Record<string, unknown>>;
}): Promise<Why> {
  const { past, loaded } = request;
  const name =
    request.pipeline ??
    loaded.pipelines.find((pipeline) => pipeline.steps.some((step) => step.name === request.step))?.name;
  if (name === undefined)
    throw stepUnknown({
      step: request.step,
      steps: assertValid(loaded).pipelines.flatMap((pipeline) => pipeline.steps.map((step) => step.name)),
    });
  const definition = findDefinition(loaded, name);
  const { steps } = await plan({
    past,
    loaded,
    pipeline: name,
    ...(request.params === undefined ? {} : { params: request.params }),
  });
  const next = steps.find((step) => step.step === request.step);
  const step = definition.steps.find((one) => one.name === request.step);
  if (next === undefined || step === undefined)
    throw stepUnknown({ pipeline: name, step: request.step, steps: steps.map((one) => one.step) });
  const asked = { project: loaded.project, pipeline: name, step: request.step };
  const last = await past.latestStepRun(asked);
  const entry = await past.latestResult({ ...asked, matrixIndex: 0 });
  if (readsSteps(step) || step.forEach !== undefined || next.reason.startsWith("it would fail"))
    return { pipeline: name, step: request.step, last, next, changes: [], key: undefined };
  const planner = createPlanner(past, loaded, definition, { params: checkParams(definition, request.params ?? {}) });
  const prepared = await planner.prepare(step);
  const versions = await latestVersions(past, loaded.project, prepared, { definition, partition: undefined });
  const key = await keyOfStep(prepared, planner.files, (asset) => versions.get(asset));
  return {
    pipeline: name,
    step: request.step,
    last,
    next,
    changes: entry === undefined ? [] : explainDifference(entry.parts as StoredParts, key),
    key: key.key,
  };
}
