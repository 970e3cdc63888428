import { z } from "zod";
import type { Json } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { WheelDigests } from "#pipeline";
import type { Tree } from "#storage";
import { versionNotModel } from "./errors.ts";
import type { ModelDescription } from "./model-description.ts";

/** SHA-256 of installed files by line of the requirements, for one platform. */
export const wheelDigests: z.ZodType<WheelDigests> = z.object({
  platform: z.string(),
  sha256: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

/** One version that a model was made from. */
export interface RecordedInput {
  readonly versionId: string;
  readonly asset: string;
  readonly kind: string;
  readonly version: number;
  readonly digest: string;
}

/** Everything that is known of how a model version came to be, at the moment it was made. */
export interface ModelRecord {
  /** Inputs of the step, training data among them. */
  readonly inputs: readonly RecordedInput[];
  /** The input that holds the label: what the model was trained on. */
  readonly training: RecordedInput | undefined;
  /**
   * What the features of the training data were read from: the sources of its join, and versions of kind `features`.
   */
  readonly features: readonly RecordedInput[];
  /** How the training data were joined: spine, label, feature views, split; undefined when they were not. */
  readonly join: Json | undefined;
  /** What the making kind reported: notebook path and digest, environment lock, … */
  readonly source: Readonly<Record<string, Json>>;
  readonly commit: { readonly id: string; readonly dirty: boolean } | undefined;
  /** The pipeline's params, then what the run logged. */
  readonly params: Readonly<Record<string, Json>>;
  readonly hyperparameters: Readonly<Record<string, string>>;
  /** NaN and infinities as their names: JSON has no form for them. */
  readonly metrics: Readonly<Record<string, number | string>>;
  readonly trackingRun: { readonly runId: string; readonly experimentId: string };
  readonly madeBy: {
    readonly pipeline: string;
    readonly step: string;
    readonly pipelineRunId: string;
    readonly stepRunId: string;
    readonly attemptId: string;
    readonly actor: string;
  };
}

/** Content of an asset version of kind `model`. */
export interface ModelContent {
  readonly format: "model/1";
  readonly tree: Tree;
  readonly model: ModelDescription;
  /** What its environment is made of, as lines of a requirements file. */
  readonly requirements?: readonly string[];
  /** What those lines were installed from when the model was made. */
  readonly wheels?: WheelDigests;
  /** The MLflow registered model; its version is found by the asset version's id. */
  readonly registered: { readonly name: string };
  readonly record: ModelRecord;
}

/**
 * The content of a model version.
 *
 * @throws MODELS_VERSION_NOT_MODEL
 */
export function readModelContent(version: AssetVersion): ModelContent {
  const content = version.content as Partial<ModelContent>;
  if (version.kind !== "model" || content.format !== "model/1")
    throw versionNotModel({ asset: version.asset, version: version.version, kind: version.kind });
  return content as ModelContent;
}
