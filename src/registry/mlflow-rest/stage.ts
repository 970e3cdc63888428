import { MODEL_STAGES, type ModelStage } from "#metadata-store/registry";
import { parameterInvalid } from "#tracking";

/** A stage in any case. @throws TRACKING_PARAMETER_INVALID */
export function readStage(text: string): ModelStage {
  const stage = MODEL_STAGES.find((name) => name.toLowerCase() === text.toLowerCase());
  if (stage === undefined)
    throw parameterInvalid({
      message: `Invalid Model Version stage: ${text}. Value must be one of ${MODEL_STAGES.join(", ")}.`,
    });
  return stage;
}
