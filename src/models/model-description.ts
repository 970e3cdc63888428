import { z } from "zod";
import { descriptionInvalid } from "./errors.ts";

export const MODEL_TASKS = ["binary_classification", "multiclass_classification", "regression", "outputs"] as const;
/** What a model predicts; `outputs`: named outputs of any shape, as the model gives them. */
export type ModelTask = (typeof MODEL_TASKS)[number];

export const COLUMN_TYPES = ["float", "integer", "string", "boolean"] as const;
export type ModelColumnType = (typeof COLUMN_TYPES)[number];

export const MODEL_RUNTIMES = ["onnx", "python"] as const;
/** What computes a model: a graph on threads, or what `mlflow.pyfunc` loads, in a process. */
export type ModelRuntimeName = (typeof MODEL_RUNTIMES)[number];

/** Name of the description in a model's folder. */
export const DESCRIPTION_FILE = "model.json";

const column = z.strictObject({ name: z.string().min(1), type: z.enum(COLUMN_TYPES) });

const schema = z.object({
  format: z.literal("esteira.model/1"),
  runtime: z.enum(MODEL_RUNTIMES),
  file: z.string().regex(/^[^/\\]+(\/[^/\\]+)*$/),
  task: z.enum(MODEL_TASKS),
  inputs: z.array(column).min(1),
  outputs: z.array(z.object({ name: z.string().min(1), type: z.string() })).default([]),
  label: z.string().min(1).optional(),
  classes: z.array(z.union([z.string(), z.number(), z.boolean()])).optional(),
  example: z.record(z.string(), z.unknown()).optional(),
  features: z.array(z.string()).optional(),
});

/** What `model.json` says: how to run the model and what goes in and out. */
export interface ModelDescription {
  readonly format: "esteira.model/1";
  readonly runtime: ModelRuntimeName;
  /** File with the weights, or of a Python model its `MLmodel`; relative to the model's folder. */
  readonly file: string;
  readonly task: ModelTask;
  /** In the order of the input tensor's columns. */
  readonly inputs: readonly { readonly name: string; readonly type: ModelColumnType }[];
  readonly outputs: readonly { readonly name: string; readonly type: string }[];
  /** Column that holds the truth, in training and test data. */
  readonly label?: string | undefined;
  /** Labels in the order of their class index. */
  readonly classes?: readonly (string | number | boolean)[] | undefined;
  /** One row that the model must be able to answer. */
  readonly example?: Readonly<Record<string, unknown>> | undefined;
  /** Features it reads online (`view:feature`), when it was trained on a join. */
  readonly features?: readonly string[] | undefined;
}

/**
 * Reads the text of a `model.json`.
 *
 * @throws MODELS_DESCRIPTION_INVALID with every problem
 */
export function parseModelDescription(text: string, asset: string): ModelDescription {
  const fail = (problems: readonly string[], cause?: unknown): never => {
    throw descriptionInvalid({ asset, file: DESCRIPTION_FILE, problems }, cause);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail([`it is no JSON (${(error as Error).message})`], error);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    return fail(parsed.error.issues.map((issue) => `${issue.path.join(".") || "the document"}: ${issue.message}`));
  const names = parsed.data.inputs.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  if (twice.length > 0) return fail([`inputs: ${twice.join(", ")} named twice`]);
  return parsed.data;
}
