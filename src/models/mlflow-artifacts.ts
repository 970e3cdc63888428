import { Readable } from "node:stream";
import { isEsteiraError } from "#base";
import type { Blobs, Tree } from "#storage";
import { type ArtifactFolder, artifactLocationForeign } from "#tracking";
import type { ModelColumnType, ModelDescription } from "./model-description.ts";

/** MLflow's names of column types. */
const MLFLOW_TYPES: Readonly<Record<ModelColumnType, string>> = {
  float: "double",
  integer: "long",
  string: "string",
  boolean: "boolean",
};

/**
 * Lays a model's files, and an `MLmodel` if there is none, into the artifacts of its run, so that MLflow's clients load
 * the registered version.
 *
 * @returns the version's source: where the files are, or a `runs:` address when this process has no artifacts
 * Idempotent. Source: MLflow's `MLmodel` format, flavors `onnx` and `python_function`.
 */
export async function layArtifacts(
  facts: {
    readonly asset: string;
    readonly model: ModelDescription;
    readonly tree: Tree;
    readonly runId: string;
    readonly artifactUri: string | undefined;
    readonly atMs: number;
  },
  { objects, artifacts }: { readonly objects: Blobs; readonly artifacts?: ArtifactFolder | undefined },
): Promise<string> {
  const { asset, model, tree, artifactUri } = facts;
  const held = artifactUri === undefined ? undefined : heldAt(artifacts, artifactUri, asset);
  if (held === undefined || artifactUri === undefined) return `runs:/${facts.runId}/${asset}`;
  const write = (path: string, content: Readable): Promise<number> =>
    held.folder.write(`${held.path}/${path}`, content);
  for (const file of tree.files) await write(file.path, await objects.open(file.digest));
  if (!tree.files.some(({ path }) => path === "MLmodel"))
    await write("MLmodel", Readable.from([`${JSON.stringify(toMlModel(facts, model), undefined, 2)}\n`]));
  return `${artifactUri.replace(/\/+$/, "")}/${asset}`;
}

/**
 * Undefined where this process cannot write: clients of an object store, or of another machine, write there themselves.
 */
function heldAt(
  artifacts: ArtifactFolder | undefined,
  location: string,
  path: string,
): ReturnType<ArtifactFolder["at"]> | undefined {
  try {
    return artifacts?.at(location, path);
  } catch (error) {
    if (isEsteiraError(error, artifactLocationForeign.code)) return undefined;
    throw error;
  }
}

/** `MLmodel` as JSON, which is YAML too. */
function toMlModel(
  facts: { readonly asset: string; readonly runId: string; readonly tree: Tree; readonly atMs: number },
  model: ModelDescription,
): object {
  return {
    artifact_path: facts.asset,
    run_id: facts.runId,
    model_uuid: facts.runId,
    utc_time_created: new Date(facts.atMs).toISOString().replace("T", " ").replace("Z", "000"),
    model_size_bytes: facts.tree.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    flavors: {
      onnx: { data: model.file, providers: ["CPUExecutionProvider"], onnx_session_options: null, code: null },
      python_function: { loader_module: "mlflow.onnx", data: model.file, env: {} },
    },
    signature: {
      inputs: JSON.stringify(
        model.inputs.map(({ name, type }) => ({ type: MLFLOW_TYPES[type], name, required: true })),
      ),
      outputs: null,
      params: null,
    },
    metadata: { "esteira.task": model.task },
  };
}
