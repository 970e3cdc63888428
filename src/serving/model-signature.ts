import type { Digest } from "#base";
import type { AssetVersion } from "#metadata-store";
import { type ModelColumnType, type ModelTask, readModelContent } from "#models";
import { modelUnusable } from "./errors.ts";

/** One input column of a model. */
export interface ModelInput {
  readonly name: string;
  readonly type: ModelColumnType;
  /** A missing value may be sent as null, and is NaN to the model: floats only. */
  readonly nullable: boolean;
}

/** What serving needs of a model's description. */
export interface ModelSignature {
  readonly task: ModelTask;
  readonly inputs: readonly ModelInput[];
  readonly label: string | undefined;
  readonly example: Readonly<Record<string, unknown>> | undefined;
  /** The ONNX file. */
  readonly file: Digest;
}

/** Reads the signature of a version of kind `model`. @throws MODELS_VERSION_NOT_MODEL, SERVING_MODEL_UNUSABLE when the file is missing */
export function readSignature(version: AssetVersion): ModelSignature {
  const { model, tree } = readModelContent(version);
  const file = tree.files.find((candidate) => candidate.path === model.file);
  if (file === undefined) throw modelUnusable({ model: titleOf(version), problem: `model.json names the file "${model.file}", which the version does not hold` });
  return {
    task: model.task,
    inputs: model.inputs.map(({ name, type }) => ({ name, type, nullable: type === "float" })),
    label: model.label,
    example: model.example,
    file: file.digest,
  };
}

/** `delay version 3` */
export function titleOf(version: AssetVersion): string {
  return `${version.asset} version ${version.version}`;
}
