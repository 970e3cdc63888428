import { canonicalJson, type Json } from "#base";
import type { MetadataStore } from "#metadata-store";
import { findPipelineRun, getPipelineDefinition, requestCancel, resumePipelineRun } from "#metadata-store/engine";
import { type PipelineDefinition, stepUnknown } from "#pipeline";
import { resumeChanged, retryNothing, runUnknown } from "./errors.ts";

/**
 * Cancels a pipeline run, whichever process works on it: that one sees the request and ends its processes.
 * Idempotent; a run that has ended stays as it is.
 *
 * @throws PIPELINE_RUN_UNKNOWN
 */
export async function cancelPipelineRun(
  store: MetadataStore,
  facts: { readonly id: string; readonly actor: string; readonly atMs: number },
): Promise<void> {
  const status = await store.write((transaction) =>
    requestCancel(transaction, { ...facts, reason: `cancelled by ${facts.actor}` }),
  );
  if (status === undefined) throw runUnknown({ id: facts.id });
}

/**
 * Lets a pipeline run go on after a failure, a cancel or an interruption. When its pipeline was corrected meanwhile,
 * the new definition is used, provided that its steps and edges are the same.
 *
 * @returns number of step runs that will run
 * @throws PIPELINE_RUN_UNKNOWN, PIPELINE_RESUME_CHANGED, PIPELINE_STEP_UNKNOWN, PIPELINE_RETRY_NOTHING
 */
export async function resumeRun(
  store: MetadataStore,
  facts: {
    readonly id: string;
    readonly actor: string;
    readonly from?: string | undefined;
    readonly steps?: readonly string[] | undefined;
    readonly stepRuns?: readonly string[] | undefined;
    readonly atMs: number;
  },
): Promise<number> {
  const run = await store.read((transaction) => findPipelineRun(transaction, facts.id));
  if (run === undefined) throw runUnknown({ id: facts.id });
  const pinned = await store.read((transaction) =>
    getPipelineDefinition(transaction, { project: run.project, digest: run.definitionDigest }),
  );
  const current = await store.read((transaction) =>
    getPipelineDefinition(transaction, { project: run.project, pipeline: run.pipeline }),
  );
  const before = pinned === undefined ? undefined : parseDefinition(pinned.content);
  assertSteps(run.pipeline, before, [...(facts.from === undefined ? [] : [facts.from]), ...(facts.steps ?? [])]);
  let definitionDigest: string | undefined;
  // A run of a pushed commit keeps the definition of that commit.
  if (
    before !== undefined &&
    current !== undefined &&
    current.digest !== run.definitionDigest &&
    run.source === undefined
  ) {
    const change = shapeChange(before, parseDefinition(current.content));
    if (change !== undefined) throw resumeChanged({ pipeline: run.pipeline, id: run.id, change });
    definitionDigest = current.digest;
  }
  const count = await store.write((transaction) => resumePipelineRun(transaction, { ...facts, definitionDigest }));
  if (count === undefined) throw runUnknown({ id: facts.id });
  const isNarrowed = facts.steps !== undefined || facts.stepRuns !== undefined;
  if (count === 0 && isNarrowed) throw retryNothing({ id: run.id, pipeline: run.pipeline, steps: facts.steps ?? [] });
  return count;
}

function parseDefinition(content: string): PipelineDefinition {
  const definition: PipelineDefinition = JSON.parse(content);
  return definition;
}

function assertSteps(pipeline: string, definition: PipelineDefinition | undefined, named: readonly string[]): void {
  const steps = definition?.steps.map((step) => step.name) ?? [];
  const unknown = named.find((step) => !steps.includes(step));
  if (unknown !== undefined) throw stepUnknown({ pipeline, step: unknown, steps });
}

function shapeChange(before: PipelineDefinition, now: PipelineDefinition): string | undefined {
  const names = (definition: PipelineDefinition): string =>
    definition.steps
      .map((step) => step.name)
      .sort()
      .join(", ");
  if (names(before) !== names(now)) return `its steps were ${names(before)} and are ${names(now)}`;
  const byName = new Map(now.steps.map((step) => [step.name, step]));
  for (const step of before.steps) {
    const other = byName.get(step.name);
    if (other === undefined) continue;
    if (step.needs.join() !== other.needs.join())
      return `step "${step.name}" waited for ${step.needs.join(", ") || "nothing"} and now for ${other.needs.join(", ") || "nothing"}`;
    if (canonicalJson((step.forEach ?? null) as Json) !== canonicalJson((other.forEach ?? null) as Json))
      return `for_each of step "${step.name}" is another`;
    if ((step.matrix?.length ?? 0) !== (other.matrix?.length ?? 0))
      return `the matrix of step "${step.name}" has another size`;
  }
  return undefined;
}
