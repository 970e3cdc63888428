import type { CodeStationName, StationName } from "#api";
import type { PipelineDefinition, StepDefinition } from "#pipeline";

/** A step with the station of the cycle that it stands at. */
export interface StationedStep {
  readonly pipeline: string;
  readonly step: string;
  readonly load: "code" | "data" | "models";
  readonly station: StationName | CodeStationName;
}

/**
 * Where every step stands. What a step makes decides before its kind: a script that makes a dataset transforms, one
 * that makes nothing checks.
 */
export function stationsOf(pipelines: readonly PipelineDefinition[]): readonly StationedStep[] {
  const madeKinds = new Map(
    pipelines.flatMap(({ steps }) =>
      steps.flatMap(({ makes }) => makes.map(({ asset, kind }) => [asset, kind as string] as const)),
    ),
  );
  return pipelines.flatMap((pipeline) =>
    pipeline.steps.map((step) => ({
      pipeline: pipeline.name,
      step: step.name,
      load: step.load,
      station: stationOf(step, madeKinds),
    })),
  );
}

function stationOf(step: StepDefinition, madeKinds: ReadonlyMap<string, string>): StationedStep["station"] {
  switch (step.kind) {
    case "capture":
    case "test":
      return step.kind;
    case "sql":
    case "publish":
      return "transform";
    case "join":
      return "features";
    case "notebook":
      return "train";
    case "deploy":
      return step.inputs.some(({ asset }) => madeKinds.get(asset) === "code") ? "release" : "deploy";
    default:
      return stationOfCommand(step);
  }
}

function stationOfCommand({ makes }: StepDefinition): StationedStep["station"] {
  const kinds = new Set<string>(makes.map(({ kind }) => kind));
  if (kinds.has("model")) return "train";
  if (kinds.has("code")) return "build";
  return kinds.size > 0 ? "transform" : "check";
}
