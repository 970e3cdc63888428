import { type Json, newId } from "#base";
import type { NewPipelineRun, NewRunStep, TriggerKind } from "#metadata-store/engine";
import {
  checkParams,
  partitionMissing,
  selectSteps,
  type Selection,
  type PipelineDefinition,
  type StepDefinition,
  ownConditionOf,
  previewOf,
} from "#pipeline";

export interface RunRequest {
  readonly project: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly selection?: Selection;
  readonly trigger: { readonly kind: TriggerKind; readonly subject?: string; readonly cause?: object };
  readonly actor: string;
  /** Checked before: it is one of the pipeline, and over. */
  readonly partition?: string | undefined;
  readonly source?: { readonly folder: string; readonly commit?: string } | undefined;
  /** Instead of the pipeline's. */
  readonly priority?: number | undefined;
  readonly atMs: number;
}

/** The rows of a new pipeline run: checked params, selected steps, one step run per matrix entry. */
export function expandRun(definition: PipelineDefinition, digest: string, request: RunRequest): NewPipelineRun {
  const selected = selectSteps(definition, request.selection ?? {});
  const names = new Set(selected.map((step) => step.name));
  const { partition } = request;
  if (definition.partitions !== undefined && partition === undefined)
    throw partitionMissing({ pipeline: definition.name });
  const priority = request.priority ?? definition.priority ?? 0;
  return {
    id: newId(request.atMs),
    project: request.project,
    pipeline: definition.name,
    definitionDigest: digest,
    params: checkParams(definition, request.params ?? {}),
    selection: request.selection ?? {},
    trigger: request.trigger,
    actor: request.actor,
    source: request.source,
    atMs: request.atMs,
    concurrency: concurrencyOf(definition, partition, previewOf(request.trigger)?.name),
    partition,
    priority,
    steps: selected.map((step, position) => runStep(step, { position, selected: names, priority, atMs: request.atMs })),
  };
}

/**
 * Runs of one partition come one after another: two at once would write over each other. Those of pull requests keep
 * nobody else waiting.
 */
function concurrencyOf(
  { concurrency }: PipelineDefinition,
  partition: string | undefined,
  preview: string | undefined,
): NewPipelineRun["concurrency"] {
  const { group, limit, perPartition } = concurrency;
  const own = perPartition === true && partition !== undefined ? `${group}:${partition}` : group;
  return { group: preview === undefined ? own : `${own}~${preview}`, limit };
}

function runStep(
  step: StepDefinition,
  of: {
    readonly position: number;
    readonly selected: ReadonlySet<string>;
    readonly priority: number;
    readonly atMs: number;
  },
): NewRunStep {
  const { position, selected, priority, atMs } = of;
  // A step with items begins with one step run, which lists them.
  const entries: readonly (Readonly<Record<string, Json>> | undefined)[] = step.matrix ?? [undefined];
  return {
    step: step.name,
    kind: step.kind,
    position,
    needs: step.needs.filter((need) => selected.has(need)),
    concurrency: step.concurrency,
    ownCondition: ownConditionOf(step),
    forEach: step.forEach !== undefined,
    maxParallel: step.maxParallel,
    failFast: step.failFast === true,
    pool: step.pool,
    priority: priority + (step.priority ?? 0),
    stepRuns: entries.map((matrix, matrixIndex) => ({ id: newId(atMs), matrixIndex, matrix })),
  };
}
