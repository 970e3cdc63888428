import { z } from "zod";
import { type Json, messageOf, readYaml } from "#base";
import { descriptionInvalid, inputUnsupported, signatureMissing, taskMissing } from "./errors.ts";
import { MODEL_TASKS, type ModelColumnType, type ModelDescription, type ModelTask } from "./model-description.ts";

/** What MLflow's `save_model` writes beside a model. */
export const ML_MODEL_FILE = "MLmodel";

const LARGEST_FILE_BYTES = 10_000_000;

const schema = z.looseObject({
  flavors: z.record(z.string(), z.unknown()),
  signature: z.looseObject({ inputs: z.string().nullish(), outputs: z.string().nullish() }).nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  saved_input_example_info: z.looseObject({ artifact_path: z.string(), type: z.string() }).nullish(),
});

/** A column or tensor of a signature, as MLflow writes it. */
const part = z.looseObject({
  name: z.string().optional(),
  type: z.string(),
  "tensor-spec": z.looseObject({ dtype: z.string(), shape: z.array(z.number()) }).optional(),
});
const parts = z.array(part);
type Part = z.output<typeof part>;

/** MLflow's column types as ours. Dates, bytes, arrays, objects and tensors have no column here. */
const COLUMN_TYPES: Readonly<Record<string, ModelColumnType>> = {
  double: "float",
  float: "float",
  long: "integer",
  integer: "integer",
  string: "string",
  boolean: "boolean",
};

/** A model as its `MLmodel` describes it, and the file of its example. */
export interface ReadMlModel {
  readonly model: ModelDescription;
  readonly exampleFile: string | undefined;
}

/**
 * Reads the `MLmodel` of a model that `mlflow.pyfunc` loads. Its signature gives the inputs, its metadata
 * `esteira.task` and `esteira.label` what it predicts; what it lacks is taken from the tags of its run, and without a
 * task, the signature's outputs say it where they can.
 *
 * @throws MODELS_DESCRIPTION_INVALID, MODELS_SIGNATURE_MISSING, MODELS_INPUT_UNSUPPORTED, MODELS_TASK_MISSING
 */
export function parseMlModel(
  text: string,
  asset: string,
  {
    tags = new Map(),
    said = {},
  }: {
    readonly tags?: ReadonlyMap<string, string> | undefined;
    /** What is said elsewhere, and counts. */
    readonly said?: { readonly task?: string | undefined; readonly label?: string | undefined };
  } = {},
): ReadMlModel {
  const { value, problems } = readYaml(text, ML_MODEL_FILE, schema, { maxBytes: LARGEST_FILE_BYTES });
  if (value === undefined)
    throw descriptionInvalid({ asset, file: ML_MODEL_FILE, problems: problems.map(({ message }) => message) });
  if (value.flavors["python_function"] === undefined) {
    const found = Object.keys(value.flavors).join(", ") || "none";
    throw descriptionInvalid({
      asset,
      file: ML_MODEL_FILE,
      problems: [`it has no flavor python_function, by which mlflow.pyfunc loads it; found ${found}`],
    });
  }
  const sayOf = (what: "label" | "task"): unknown =>
    said[what] ?? value.metadata?.[`esteira.${what}`] ?? tags.get(`esteira.${what}`);
  const label = sayOf("label");
  const example = value.saved_input_example_info;
  return {
    model: {
      format: "esteira.model/1",
      runtime: "python",
      file: ML_MODEL_FILE,
      task: readTask(sayOf("task"), readParts(value.signature?.outputs, "outputs", asset), asset),
      inputs: readInputs(readParts(value.signature?.inputs, "inputs", asset), asset),
      outputs: [],
      ...(typeof label === "string" ? { label } : {}),
    },
    exampleFile: example?.type === "dataframe" ? example.artifact_path : undefined,
  };
}

/** The first row of an example that MLflow saved; undefined where it has another form. */
export function parseInputExample(text: string): Readonly<Record<string, Json>> | undefined {
  const table = z.looseObject({ columns: z.array(z.string()), data: z.array(z.array(z.json())).min(1) });
  const { data: example } = table.safeParse(JSON.parse(text));
  const [row] = example?.data ?? [];
  if (example === undefined || row === undefined) return undefined;
  return Object.fromEntries(example.columns.map((name, position) => [name, row[position] ?? null]));
}

function readParts(text: string | null | undefined, which: string, asset: string): readonly Part[] {
  if (text === null || text === undefined) return [];
  try {
    return parts.parse(JSON.parse(text));
  } catch (error) {
    const problems = [`signature.${which} is no list of columns (${messageOf(error)})`];
    throw descriptionInvalid({ asset, file: ML_MODEL_FILE, problems }, error);
  }
}

function readInputs(found: readonly Part[], asset: string): ModelDescription["inputs"] {
  if (found.length === 0) throw signatureMissing({ asset });
  return found.map(({ name, type }, position) => {
    const known = COLUMN_TYPES[type];
    if (name === undefined || known === undefined)
      throw inputUnsupported({ asset, input: name ?? `number ${position}`, type, known: Object.keys(COLUMN_TYPES) });
    return { name, type: known };
  });
}

function readTask(said: unknown, outputs: readonly Part[], asset: string): ModelTask {
  const named = MODEL_TASKS.find((task) => task === said);
  if (named !== undefined) return named;
  const task = said === undefined ? taskOfOutputs(outputs) : undefined;
  if (task === undefined) throw taskMissing({ asset, found: said === undefined ? undefined : JSON.stringify(said) });
  return task;
}

/** Whole numbers may be classes, or a count: nothing is guessed. */
function taskOfOutputs(outputs: readonly Part[]): ModelTask | undefined {
  const [first] = outputs;
  if (first === undefined) return undefined;
  const tensor = first["tensor-spec"];
  const type = tensor?.dtype ?? first.type;
  const width = tensor === undefined ? outputs.length : (tensor.shape[1] ?? 1);
  if (width === 1 && /^(str|string|object|boolean|bool)/.test(type)) return "multiclass_classification";
  if (!/^(float|double)/.test(type)) return undefined;
  return width === 1 ? "regression" : width === 2 ? "binary_classification" : "multiclass_classification";
}
