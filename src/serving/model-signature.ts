import type { AssetVersion } from "#metadata-store";
import { type ModelColumnType, type ModelTask, readModelContent } from "#models";

/** One input column of a model. */
export interface ModelInput {
  readonly name: string;
  readonly type: ModelColumnType;
  /** A missing value may be sent as null, and is NaN to the model, or an empty text. */
  readonly nullable: boolean;
  /** The graph takes whole numbers or truth values there, which cannot be missing. */
  readonly exact?: boolean;
  /** Why null is refused. */
  readonly nullRefusal?: string;
  /** The feature that it was in training, `view:feature`. */
  readonly feature?: string;
}

/** What serving needs of a model's description. */
export interface ModelSignature {
  readonly task: ModelTask;
  readonly inputs: readonly ModelInput[];
  readonly label: string | undefined;
  readonly example: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Which inputs may be null: those that were null in the training data, where that is known, else floats. What the graph
 * takes as a whole number or a truth value never may.
 */
export function withNulls(
  signature: ModelSignature,
  facts: { readonly trainingNulls: ReadonlySet<string> | undefined; readonly exact: readonly string[] },
): ModelSignature {
  const { trainingNulls, exact } = facts;
  return {
    ...signature,
    inputs: signature.inputs.map(({ name, type, feature }) => {
      const isExact = exact.includes(name);
      const wasNull = trainingNulls === undefined ? type === "float" : trainingNulls.has(name);
      const reason =
        isExact && wasNull
          ? "the model's input holds whole numbers only"
          : trainingNulls === undefined || wasNull
            ? undefined
            : "training had none";
      return {
        name,
        type,
        nullable: wasNull && !isExact,
        exact: isExact,
        ...(feature === undefined ? {} : { feature }),
        ...(reason === undefined ? {} : { nullRefusal: reason }),
      };
    }),
  };
}

/**
 * Reads the signature of a version of kind `model`. @throws MODELS_VERSION_NOT_MODEL
 */
export function readSignature(version: AssetVersion): ModelSignature {
  const { model } = readModelContent(version);
  return {
    task: model.task,
    inputs: model.inputs.map(({ name, type }) => {
      const feature = model.features?.find((each) => namesOfFeature(each).includes(name));
      return { name, type, nullable: type === "float", ...(feature === undefined ? {} : { feature }) };
    }),
    label: model.label,
    example: model.example,
  };
}

/** What a join calls the column of `view:feature`. */
function namesOfFeature(feature: string): readonly string[] {
  return [feature.slice(feature.indexOf(":") + 1), feature.replace(":", "__")];
}

/** `delay version 3` */
export function titleOf(version: AssetVersion): string {
  return `${version.asset} version ${version.version}`;
}
