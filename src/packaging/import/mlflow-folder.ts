import { type Dirent, existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  importSourceUnreadable,
  type LeftBehind,
  type MlflowSource,
  type SourceExperiment,
  type SourceLoggedModel,
  type SourceModelVersion,
  type SourceRegisteredModel,
  type SourceRun,
  toLoggedModelStatus,
  toStage,
} from "#metadata-store/import";
import type { KeyValue } from "#metadata-store/registry";
import type { MetricPoint, RunDataset, RunModel } from "#metadata-store/tracking";

const RUN_STATUS = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] as const;
const PAGE = 50;
const METRIC_PAGE = 5000;
const TRASH = ".trash";
const NOT_RUNS = new Set(["datasets", "models", "tags", "traces", "assessments"]);

type Meta = Readonly<Record<string, unknown>>;

/**
 * MLflow's file store (`./mlruns`), as 1.x, 2.x and 3.x wrote it.
 *
 * @param folder absolute
 * @throws METADATA_STORE_IMPORT_SOURCE_UNREADABLE
 */
export async function openMlflowFolder(folder: string): Promise<MlflowSource> {
  const experiments = await readExperiments(folder);
  if (experiments.size === 0)
    throw importSourceUnreadable({ from: folder, reason: "no folder in it holds the meta.yaml of an experiment" });
  const placeOf = (experimentId: string): string => experiments.get(experimentId)?.place ?? join(folder, experimentId);
  return {
    address: folder,
    experiments: async () => [...experiments.values()].map(({ experiment }) => experiment),
    runs: (experimentId) => readRuns(placeOf(experimentId)),
    metrics: (experimentId, runId) => readMetrics(join(placeOf(experimentId), runId, "metrics")),
    loggedModels: (experimentId) => readLoggedModels(join(placeOf(experimentId), "models")),
    registeredModels: () => readRegisteredModels(join(folder, "models")),
    leftBehind: () => countTraces([...experiments.values()].map(({ place }) => place)),
    close: async () => {},
  };
}

async function readExperiments(
  folder: string,
): Promise<ReadonlyMap<string, { readonly place: string; readonly experiment: SourceExperiment }>> {
  const found = new Map<string, { place: string; experiment: SourceExperiment }>();
  for (const root of [folder, join(folder, TRASH)]) {
    for (const entry of await foldersIn(root)) {
      const place = join(root, entry);
      const meta = await readMeta(place);
      if (meta?.["experiment_id"] === undefined || meta["name"] === undefined) continue;
      const id = text(meta["experiment_id"]);
      const experiment = {
        id,
        name: text(meta["name"]),
        artifactLocation: text(meta["artifact_location"]),
        deleted: meta["lifecycle_stage"] === "deleted" || root !== folder,
        createdAtMs: number(meta["creation_time"]),
        updatedAtMs: number(meta["last_update_time"] ?? meta["creation_time"]),
        tags: await readPairs(join(place, "tags")),
      };
      found.set(id, { place, experiment });
    }
  }
  return found;
}

async function* readRuns(place: string): AsyncGenerator<readonly SourceRun[]> {
  let page: SourceRun[] = [];
  for (const name of await foldersIn(place)) {
    if (NOT_RUNS.has(name)) continue;
    const run = await readRun(place, name);
    if (run === undefined) continue;
    page.push(run);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

async function readRun(place: string, name: string): Promise<SourceRun | undefined> {
  const folder = join(place, name);
  const meta = await readMeta(folder);
  const runId = meta?.["run_id"] ?? meta?.["run_uuid"];
  if (meta === undefined || runId === undefined) return undefined;
  const tags = await readPairs(join(folder, "tags"));
  const { datasets, models } = await readInputs(place, folder);
  return {
    runId: text(runId),
    name: text(meta["run_name"] ?? meta["name"] ?? tags.find(({ key }) => key === "mlflow.runName")?.value),
    userId: text(meta["user_id"]),
    status: RUN_STATUS[number(meta["status"]) - 1] ?? "FINISHED",
    startTimeMs: number(meta["start_time"]),
    endTimeMs: meta["end_time"] === null || meta["end_time"] === undefined ? undefined : number(meta["end_time"]),
    artifactUri: text(meta["artifact_uri"]),
    deleted: meta["lifecycle_stage"] === "deleted",
    params: await readPairs(join(folder, "params")),
    tags,
    datasets,
    modelInputs: models,
    modelOutputs: await readOutputs(folder),
  };
}

async function readInputs(
  place: string,
  run: string,
): Promise<{ datasets: readonly RunDataset[]; models: readonly RunModel[] }> {
  const datasets: RunDataset[] = [];
  const models: RunModel[] = [];
  for (const name of await foldersIn(join(run, "inputs"))) {
    const meta = await readMeta(join(run, "inputs", name));
    if (meta === undefined) continue;
    if (meta["source_type"] === "MODEL") models.push({ modelId: text(meta["source_id"]), step: number(meta["step"]) });
    const dataset =
      meta["source_type"] === "DATASET" ? await readMeta(join(place, "datasets", text(meta["source_id"]))) : undefined;
    if (dataset === undefined) continue;
    datasets.push({
      name: text(dataset["name"]),
      digest: text(dataset["digest"]),
      sourceType: text(dataset["source_type"]),
      source: text(dataset["source"]),
      schema: optional(dataset["schema"]),
      profile: optional(dataset["profile"]),
      tags: Object.entries((meta["tags"] ?? {}) as object).map(([key, value]) => ({ key, value: text(value) })),
    });
  }
  return { datasets, models };
}

async function readOutputs(run: string): Promise<readonly RunModel[]> {
  const models: RunModel[] = [];
  for (const name of await foldersIn(join(run, "outputs"))) {
    const meta = await readMeta(join(run, "outputs", name));
    if (meta !== undefined) models.push({ modelId: text(meta["destination_id"]), step: number(meta["step"]) });
  }
  return models;
}

async function* readMetrics(folder: string): AsyncGenerator<readonly MetricPoint[]> {
  for (const key of await filesBelow(folder)) {
    const points = metricLines(await readFile(join(folder, key), "utf8")).map((words) => toPoint(key, words));
    for (let start = 0; start < points.length; start += METRIC_PAGE) yield points.slice(start, start + METRIC_PAGE);
  }
}

async function* readLoggedModels(folder: string): AsyncGenerator<readonly SourceLoggedModel[]> {
  for (const name of await foldersIn(folder)) {
    const place = join(folder, name);
    const meta = await readMeta(place);
    if (meta?.["model_id"] === undefined) continue;
    const metrics = [];
    for (const key of await filesBelow(join(place, "metrics"))) {
      // timestamp value step run [dataset name, dataset digest]
      for (const words of metricLines(await readFile(join(place, "metrics", key), "utf8"))) {
        metrics.push({ ...toPoint(key, words), runId: words[3] ?? "", datasetName: words[4], datasetDigest: words[5] });
      }
    }
    yield [
      {
        id: text(meta["model_id"]),
        name: text(meta["name"]),
        artifactUri: text(meta["artifact_location"]),
        createdAtMs: number(meta["creation_timestamp"]),
        updatedAtMs: number(meta["last_updated_timestamp"]),
        status: toLoggedModelStatus(meta["status"]),
        modelType: optional(meta["model_type"]),
        sourceRunId: optional(meta["source_run_id"]),
        deleted: meta["lifecycle_stage"] === "deleted",
        params: await readPairs(join(place, "params")),
        tags: await readPairs(join(place, "tags")),
        metrics,
      },
    ];
  }
}

async function* readRegisteredModels(folder: string): AsyncGenerator<SourceRegisteredModel> {
  for (const name of await foldersIn(folder)) {
    const place = join(folder, name);
    const meta = await readMeta(place);
    if (meta?.["name"] === undefined) continue;
    const versions: SourceModelVersion[] = [];
    let lastVersion = 0;
    for (const entry of await foldersIn(place)) {
      const version = /^version-(\d+)$/.test(entry) ? await readMeta(join(place, entry)) : undefined;
      if (version === undefined) continue;
      lastVersion = Math.max(lastVersion, number(version["version"]));
      if (version["current_stage"] !== "Deleted_Internal")
        versions.push(toVersion(version, await readPairs(join(place, entry, "tags"))));
    }
    yield {
      name: text(meta["name"]),
      description: optional(meta["description"]),
      createdAtMs: number(meta["creation_timestamp"]),
      updatedAtMs: number(meta["last_updated_timestamp"]),
      lastVersion,
      tags: await readPairs(join(place, "tags")),
      aliases: (await readPairs(join(place, "aliases"))).map(({ key, value }) => ({
        alias: key,
        version: Number(value),
      })),
      versions,
    };
  }
}

function toVersion(meta: Meta, tags: readonly KeyValue[]): SourceModelVersion {
  const source = text(meta["source"]);
  return {
    version: number(meta["version"]),
    createdAtMs: number(meta["creation_timestamp"]),
    updatedAtMs: number(meta["last_updated_timestamp"]),
    description: optional(meta["description"]),
    stage: toStage(meta["current_stage"]),
    source,
    storageLocation: optional(meta["storage_location"]) ?? source,
    runId: optional(meta["run_id"]),
    runLink: optional(meta["run_link"]),
    loggedModelId: optional(meta["model_id"]) ?? /^models:\/+(m-[0-9a-f]{32})$/.exec(source)?.[1],
    userId: optional(meta["user_id"]),
    tags,
  };
}

async function countTraces(places: readonly string[]): Promise<readonly LeftBehind[]> {
  let count = 0;
  for (const place of places) count += (await foldersIn(join(place, "traces"))).length;
  return count === 0 ? [] : [{ what: "traces", count, reason: "traces are not kept here yet" }];
}

/** One file per key; keys with slashes are folders. */
async function readPairs(folder: string): Promise<readonly KeyValue[]> {
  const pairs: KeyValue[] = [];
  for (const key of await filesBelow(folder)) pairs.push({ key, value: await readFile(join(folder, key), "utf8") });
  return pairs;
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const entry of await entriesOf(folder)) {
    if (entry.isFile()) names.push(entry.name);
    else if (entry.isDirectory())
      names.push(...(await filesBelow(join(folder, entry.name))).map((name) => `${entry.name}/${name}`));
  }
  return names.sort();
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  return (await entriesOf(folder)).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.sort((left, right) => (left.name < right.name ? -1 : 1));
}

async function readMeta(folder: string): Promise<Meta | undefined> {
  const file = join(folder, "meta.yaml");
  if (!existsSync(file)) return undefined;
  try {
    const { parse } = await import("yaml");
    const meta: unknown = parse(await readFile(file, "utf8"));
    return typeof meta === "object" && meta !== null ? (meta as Meta) : undefined;
  } catch (error) {
    throw importSourceUnreadable({ from: file, reason: (error as Error).message }, error);
  }
}

function metricLines(content: string): readonly (readonly string[])[] {
  return content
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim().split(" "));
}

function toPoint(key: string, [timestamp = "0", value = "nan", step = "0"]: readonly string[]): MetricPoint {
  return { key, value: toDouble(value), timestampMs: toInteger(timestamp), step: toInteger(step) };
}

function toDouble(word: string): number {
  const match = /^([+-]?)(inf|infinity)$/i.exec(word);
  return match === null ? Number(word) : match[1] === "-" ? -Infinity : Infinity;
}

function toInteger(word: string): number | bigint {
  const value = Number(word);
  return Number.isSafeInteger(value) || !/^-?\d+$/.test(word) ? Math.trunc(value) : BigInt(word);
}

function text(value: unknown): string {
  return value === null || value === undefined ? "" : String(value as string);
}

function optional(value: unknown): string | undefined {
  return value === null || value === undefined || value === "" ? undefined : String(value as string);
}

function number(value: unknown): number {
  const converted = Number(value ?? 0);
  return Number.isFinite(converted) ? converted : 0;
}
