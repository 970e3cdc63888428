import type { AssetKind } from "#metadata-store";
import type { PipelineDefinition, StepDefinition } from "./definition.ts";

interface DefinitionIndex {
  readonly steps: ReadonlyMap<string, StepDefinition>;
  /** What its steps make, by name; the step's own name too. */
  readonly assets: ReadonlyMap<string, AssetKind>;
}

const known = new WeakMap<PipelineDefinition, DefinitionIndex>();

/** A definition by name, made once: a look at each step for each step costs their square. */
export function indexOf(definition: PipelineDefinition): DefinitionIndex {
  const found = known.get(definition) ?? createIndex(definition);
  known.set(definition, found);
  return found;
}

export function findStep(definition: PipelineDefinition, name: string): StepDefinition | undefined {
  return indexOf(definition).steps.get(name);
}

function createIndex({ steps }: PipelineDefinition): DefinitionIndex {
  const assets = new Map<string, AssetKind>();
  for (const step of steps) {
    assets.set(step.name, "data");
    for (const { asset, kind } of step.makes) assets.set(asset, kind);
  }
  return { steps: new Map(steps.map((step) => [step.name, step])), assets };
}
