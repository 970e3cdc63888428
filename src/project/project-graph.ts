import type { StepReference } from "#api";
import type { PipelineDefinition, StepDefinition } from "#pipeline";
import { type StationedStep, stationsOf } from "./station-of-step.ts";

/** Who makes and who reads each asset, by the pipelines of a project. */
export interface ProjectGraph {
  producerOf(asset: string): StepReference | undefined;
  /** How the step that makes an asset is defined. */
  definitionOf(asset: string): StepDefinition | undefined;
  consumersOf(asset: string): readonly StepReference[];
  /** The contract file that the step which makes a dataset names. */
  contractFileOf(dataset: string): string | undefined;
  pipelineNames(): readonly string[];
  /** Every step with its station of the cycle. */
  stationedSteps(): readonly StationedStep[];
  stepsByKind(): ReadonlyMap<string, readonly { readonly pipeline: string; readonly step: string }[]>;
}

export function createProjectGraph(pipelines: readonly PipelineDefinition[]): ProjectGraph {
  const producers = new Map<string, StepReference>();
  const definitions = new Map<string, StepDefinition>();
  const consumers = new Map<string, StepReference[]>();
  const contracts = new Map<string, string>();
  const byKind = new Map<string, { pipeline: string; step: string }[]>();
  const stationed = stationsOf(pipelines);
  for (const pipeline of pipelines) {
    for (const step of pipeline.steps) {
      listAt(byKind, step.kind).push({ pipeline: pipeline.name, step: step.name });
      const made = step.makes[0]?.asset;
      const contract = step.declaration["contract"];
      if (typeof contract === "string") for (const { asset } of step.makes) contracts.set(asset, contract);
      for (const { asset } of step.makes) {
        producers.set(asset, { pipeline: pipeline.name, step: step.name });
        definitions.set(asset, step);
      }
      for (const { asset } of step.inputs)
        listAt(consumers, asset).push({ pipeline: pipeline.name, step: step.name, makes: made });
    }
  }
  return {
    producerOf: (asset) => producers.get(asset),
    definitionOf: (asset) => definitions.get(asset),
    consumersOf: (asset) => consumers.get(asset) ?? [],
    contractFileOf: (dataset) => contracts.get(dataset),
    pipelineNames: () => pipelines.map(({ name }) => name),
    stepsByKind: () => byKind,
    stationedSteps: () => stationed,
  };
}

/**
 * The list under a key, made when there is none: it grows in place, for a list copied at each step costs their square.
 */
function listAt<Value>(lists: Map<string, Value[]>, key: string): Value[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}
