import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Clock, digestOfJson, type Json } from "#base";
import {
  type AssetVersion,
  getAssetVersion,
  getVersionGraph,
  type MetadataStore,
  type WriteTransaction,
} from "#metadata-store";
import { createModelVersion, createRegisteredModel, getModelVersionOfAsset } from "#metadata-store/registry";
import { digestOfTree, isTreeAt, type Blobs, putTree, writeTree } from "#storage";
import type { ArtifactFolder } from "#tracking";
import {
  type AssetStorage,
  type AttemptContext,
  type LocatedAsset,
  previewSuffix,
  type PublishedOutput,
} from "#pipeline";
import { fileMissing } from "./errors.ts";
import { ML_MODEL_FILE, parseInputExample, parseMlModel } from "./ml-model-file.ts";
import { DESCRIPTION_FILE, type ModelDescription, parseModelDescription } from "./model-description.ts";
import { collectRequirements } from "./model-requirements.ts";
import { layArtifacts } from "./mlflow-artifacts.ts";
import { takeRunModel } from "./run-model.ts";
import {
  type ModelContent,
  type ModelRecord,
  readModelContent,
  type RecordedInput,
  wheelDigests,
} from "./model-version.ts";
import type { RunReader } from "./ports.ts";

export interface ModelStorageOptions {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  /** Where model folders are unpacked for reading, below the store's `cache/`. */
  readonly folder: string;
  readonly runs: RunReader;
  /**
   * Where artifacts of MLflow runs are: the model is laid there too, so that `mlflow.onnx.load_model("models:/NAME/1")`
   * finds it.
   */
  readonly artifacts?: ArtifactFolder;
  readonly clock: Clock;
}

/** The registered version that a model was taken from. */
export interface AdoptedModel {
  readonly name: string;
  readonly version: number;
  /** Of whoever trained it; its params and metrics are the model's. */
  readonly runId?: string;
}

/**
 * Storage of assets of kind `model`: the folder becomes a tree in the object store, the version an MLflow model
 * version.
 *
 * An empty folder stands for the model that the step logged to its MLflow run.
 *
 * `publish` throws MODELS_FILE_MISSING, MODELS_NOT_SAVED and MODELS_DESCRIPTION_INVALID.
 */
export function createModelStorage(options: ModelStorageOptions): AssetStorage {
  return {
    kinds: ["model"],
    locate: (version) => locateModel(version, options),
    publish: (output, attempt) => publish(output, attempt, options),
  };
}

/**
 * Unpacks the files of a version below a folder, once. Idempotent.
 *
 * @param options.folder holds one folder per content
 */
export async function locateModel(
  version: AssetVersion,
  { objects, folder }: Pick<ModelStorageOptions, "objects" | "folder">,
): Promise<LocatedAsset> {
  const { tree } = readModelContent(version);
  const path = join(folder, digestOfTree(tree).slice("sha256:".length));
  // What was unpacked earlier may have been changed since: it is the input of a step.
  if (!(await isTreeAt(tree, path))) {
    if ((await stat(path).catch(() => undefined)) !== undefined) await rm(path, { recursive: true, force: true });
    // A folder under its final name is whole: others may be unpacking the same version now.
    const partial = `${path}.${process.pid}.${createHash("sha256").update(version.id).digest("hex").slice(0, 8)}`;
    await mkdir(folder, { recursive: true });
    await rm(partial, { recursive: true, force: true });
    await writeTree(objects, tree, partial);
    await rename(partial, path).catch(async (error: unknown) => {
      await rm(partial, { recursive: true, force: true });
      if ((await stat(path).catch(() => undefined)) === undefined) throw error;
    });
  }
  return { format: "tree/1", path };
}

async function publish(
  output: { readonly asset: string; readonly folder: string; readonly options?: object },
  attempt: AttemptContext<unknown>,
  options: ModelStorageOptions,
): Promise<PublishedOutput> {
  const run = await attempt.trackingRun();
  const logged = await options.runs.readRun(run.runId);
  if ((await readdir(output.folder)).length === 0)
    await takeRunModel(
      {
        ...output,
        run: { attemptId: attempt.attemptId, experimentId: run.experimentId, artifactUri: logged.artifactUri },
      },
      options,
    );
  const adopted = readAdopted(output.options);
  const origin = adopted?.adopted.runId === undefined ? logged : await options.runs.readRun(adopted.adopted.runId);
  const model = await readDescription(output, { tags: origin.tags, said: adopted ?? {} });
  const tree = await putTree(options.objects, output.folder);
  const record = await collectRecord(attempt, model, {
    source: (output.options ?? {}) as Record<string, Json>,
    run,
    logged: origin,
    store: options.store,
  });
  const requirements = await readRequirements(output.folder, model, record.source["lock"]);
  const { data: wheels } = wheelDigests.safeParse(record.source["wheels"]);
  const content: ModelContent = {
    format: "model/1",
    tree,
    model,
    ...(requirements === undefined ? {} : { requirements }),
    ...(requirements === undefined || wheels === undefined ? {} : { wheels }),
    registered: { name: registeredName(attempt.project, output.asset) },
    record,
  };
  const { notebookDigest, environmentLock } = record.source;
  const digest = digestOfJson({
    tree,
    inputs: record.inputs.map((input) => input.digest).sort(),
    notebookDigest,
    environmentLock,
  });
  const source = await layArtifacts(
    { asset: output.asset, model, tree, runId: run.runId, artifactUri: logged.artifactUri, atMs: options.clock.now() },
    options,
  );
  const sizeBytes = tree.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    made: { asset: output.asset, kind: "model", digest, sizeBytes, content },
    alsoWrite: (transaction) =>
      register(transaction, {
        project: attempt.project,
        asset: output.asset,
        digest,
        record,
        model,
        source,
        atMs: options.clock.now(),
        actor: attempt.actor,
      }),
  };
}

/** What a step says of a model that it adopts; undefined for one that it made. */
const adoptedOptions = z.object({
  adopted: z.object({ name: z.string(), version: z.number(), runId: z.string().optional() }),
  task: z.string().optional(),
  label: z.string().optional(),
});

function readAdopted(options: object | undefined): z.output<typeof adoptedOptions> | undefined {
  return adoptedOptions.safeParse(options).data;
}

async function readDescription(
  output: { readonly asset: string; readonly folder: string },
  said: Parameters<typeof parseMlModel>[2],
): Promise<ModelDescription> {
  const { asset, folder } = output;
  const found = await readdir(folder);
  if (!found.includes(DESCRIPTION_FILE) && found.includes(ML_MODEL_FILE)) return readMlModel(output, said);
  if (!found.includes(DESCRIPTION_FILE)) throw fileMissing({ asset, file: DESCRIPTION_FILE, found });
  const model = parseModelDescription(await readFile(join(folder, DESCRIPTION_FILE), "utf8"), asset);
  const facts = await stat(join(folder, model.file)).catch(() => undefined);
  if (facts?.isFile() !== true) throw fileMissing({ asset, file: model.file, found });
  return model;
}

/** What `save_model` or `log_model` of an MLflow flavor left. */
async function readMlModel(
  { asset, folder }: { readonly asset: string; readonly folder: string },
  facts: Parameters<typeof parseMlModel>[2],
): Promise<ModelDescription> {
  const { model, exampleFile } = parseMlModel(await readFile(join(folder, ML_MODEL_FILE), "utf8"), asset, facts);
  const text =
    exampleFile === undefined ? undefined : await readFile(join(folder, exampleFile), "utf8").catch(() => undefined);
  const example = text === undefined ? undefined : parseInputExample(text);
  return { ...model, ...(example === undefined ? {} : { example }) };
}

/** A graph needs what was saved with it, to be loaded elsewhere; the server needs nothing. */
async function readRequirements(
  folder: string,
  model: ModelDescription,
  lock: Json | undefined,
): Promise<readonly string[] | undefined> {
  const saved = await readFile(join(folder, "requirements.txt"), "utf8").catch(() => "");
  if (model.runtime !== "python" && saved === "") return undefined;
  return collectRequirements(saved, typeof lock === "string" ? lock : undefined);
}

async function collectRecord(
  attempt: AttemptContext<unknown>,
  model: ModelDescription,
  facts: {
    readonly store: MetadataStore;
    readonly source: Readonly<Record<string, Json>>;
    readonly run: ModelRecord["trackingRun"];
    readonly logged: Awaited<ReturnType<RunReader["readRun"]>>;
  },
): Promise<ModelRecord> {
  const versions = [...attempt.inputs.values()];
  const training =
    versions.find((version) => hasColumn(version, model.label)) ?? versions.find(({ kind }) => kind === "data");
  const { store, logged } = facts;
  const upstream =
    training === undefined
      ? undefined
      : await store.read((transaction) => getVersionGraph(transaction, training.id, "upstream"));
  const joined = new Set(
    upstream?.edges.filter(({ to, role }) => to === training?.id && role === "features").map(({ from }) => from),
  );
  return {
    inputs: versions.map(toInput),
    training: training === undefined ? undefined : toInput(training),
    features: (upstream?.versions ?? []).filter(({ id, kind }) => kind === "features" || joined.has(id)).map(toInput),
    join: (training?.content as { readonly join?: Json } | undefined)?.join,
    source: facts.source,
    commit: attempt.commit,
    params: attempt.params,
    hyperparameters: Object.fromEntries(logged.params),
    metrics: Object.fromEntries(
      [...logged.metrics].map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]),
    ),
    trackingRun: facts.run,
    madeBy: {
      pipeline: attempt.pipeline,
      step: attempt.step,
      pipelineRunId: attempt.pipelineRunId,
      stepRunId: attempt.stepRunId,
      attemptId: attempt.attemptId,
      actor: attempt.actor,
    },
  };
}

function adoptedFrom({ source }: ModelRecord): string | undefined {
  const found = readAdopted(source)?.adopted;
  return found === undefined ? undefined : `${found.name} ${found.version}`;
}

/** Dataset versions list their columns in `content.columns`. */
function hasColumn(version: AssetVersion, column: string | undefined): boolean {
  const columns = (version.content as { readonly columns?: readonly { readonly name: string }[] }).columns;
  return column !== undefined && (columns ?? []).some(({ name }) => name === column);
}

function toInput(version: AssetVersion): RecordedInput {
  return {
    versionId: version.id,
    asset: version.asset,
    kind: version.kind,
    version: version.version,
    digest: version.digest,
  };
}

/** A preview's versions are none of those that clients ask for. */
function registeredName(project: string, asset: string): string {
  return `${asset}${previewSuffix(project)}`;
}

/**
 * Runs after the asset version was recorded, in its transaction. Content equal to the latest version's is registered
 * already.
 */
async function register(
  transaction: WriteTransaction,
  facts: {
    readonly project: string;
    readonly asset: string;
    readonly digest: string;
    readonly record: ModelRecord;
    readonly model: ModelDescription;
    /** As MLflow's clients resolve it. */
    readonly source: string;
    readonly atMs: number;
    readonly actor: string;
  },
): Promise<void> {
  const { project, asset, digest, record, atMs, actor } = facts;
  const version = await getAssetVersion(transaction, { project, asset });
  const recorded = version?.digest === digest ? version : undefined;
  if (recorded !== undefined && (await getModelVersionOfAsset(transaction, recorded.id)) !== undefined) return;
  const name = registeredName(project, asset);
  await createRegisteredModel(transaction, { project, name, atMs, actor, whenExists: "keep" });
  const tags: Readonly<Record<string, string | undefined>> = {
    "esteira.digest": digest,
    "esteira.asset_version": recorded === undefined ? undefined : `${asset} ${recorded.version}`,
    "esteira.asset_version_id": recorded?.id,
    "esteira.pipeline_run": record.madeBy.pipelineRunId,
    "esteira.step_run": record.madeBy.stepRunId,
    "esteira.commit":
      record.commit === undefined
        ? undefined
        : `${record.commit.id}${record.commit.dirty ? " (uncommitted changes)" : ""}`,
    "esteira.training_data":
      record.training === undefined ? undefined : `${record.training.asset} ${record.training.version}`,
    "esteira.training_digest": record.training?.digest,
    "esteira.task": facts.model.task,
    "esteira.adopted": adoptedFrom(record),
  };
  await createModelVersion(transaction, {
    name,
    source: facts.source,
    runId: record.trackingRun.runId,
    assetVersionId: recorded?.id,
    tags: Object.entries(tags).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }])),
    atMs,
    actor,
  });
}
