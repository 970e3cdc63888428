import { stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import type { RestatementRequest } from "#data";
import type { Platform } from "./platform.ts";

interface DatasetRequest {
  readonly dataset: string;
  readonly actor: string;
  readonly signal?: AbortSignal | undefined;
}

/** Gives a dataset the content of an earlier version again, as a new one. @throws DATA_DATASET_MISSING */
export async function restoreProjectDataset(
  platform: Platform,
  request: DatasetRequest & { readonly version: number },
): Promise<{ readonly version: number; readonly restoredFrom: number; readonly restored: boolean }> {
  const { restoreDataset } = await import("#data");
  const { version, restored } = await restoreDataset(platform, request);
  return { version: version.version, restoredFrom: request.version, restored };
}

/**
 * Drops a dataset that no step, feature view, registered model or release needs. @throws DATA_DATASET_MISSING,
 * DATA_DATASET_NEEDED
 */
export async function dropProjectDataset(
  platform: Platform,
  request: DatasetRequest,
): Promise<{ readonly name: string; readonly versions: number }> {
  const { dropDataset } = await import("#data");
  await platform.registerProject(request.actor);
  const producer = platform.producerOf(request.dataset);
  const views = [...(await platform.features.definitions()).views.values()].filter(
    ({ source }) => source === request.dataset,
  );
  const needs = [
    ...(producer === undefined ? [] : [`step ${producer.pipeline}/${producer.step} makes it`]),
    ...platform.consumersOf(request.dataset).map(({ pipeline, step }) => `step ${pipeline}/${step} reads it`),
    ...views.map(({ name }) => `feature view ${name} reads it`),
  ];
  const { versions } = await dropDataset(platform, { ...request, needs });
  return { name: request.dataset, versions };
}

/**
 * Captures files again, though they are known: notes it and starts a run of the step that captures them.
 *
 * @param request.files as the log names them, or relative to the project folder; `all` makes the dataset anew from its
 *   files
 * @returns id of the pipeline run
 * @throws DATA_CAPTURE_FILE_UNKNOWN, DATA_DATASET_MISSING
 */
export async function captureAgain(
  platform: Platform,
  request: DatasetRequest & { readonly files: readonly string[] | "all" },
): Promise<{ readonly id: string }> {
  const { askForCapture, captureFileUnknown, pushSettingsOf } = await import("#data");
  const { dataset, actor, files } = request;
  const loaded = await platform.registerProject(actor);
  const producer = platform.producerOf(dataset);
  const step = loaded.pipelines
    .find(({ name }) => name === producer?.pipeline)
    ?.steps.find(({ name }) => name === producer?.step);
  if (producer === undefined || step?.kind !== "capture")
    throw captureFileUnknown({
      dataset,
      path: files === "all" ? "Nothing" : files.join(", "),
      reason: "no step of the project captures it",
      known: [],
    });
  if (pushSettingsOf(step.declaration) !== undefined)
    throw captureFileUnknown({
      dataset,
      path: files === "all" ? "Nothing" : files.join(", "),
      reason: "its rows were pushed, and are nowhere but in the dataset and its quarantine",
      known: [],
    });
  const { folder } = step.declaration["capture"] as { readonly folder?: string };
  const root = resolve(folder ?? platform.config.folder);
  const named =
    files === "all" ? files : files.map((file) => relative(root, resolve(root, file)).replaceAll("\\", "/"));
  const exists = (path: string): Promise<boolean> =>
    stat(join(root, path)).then(
      (facts) => facts.isFile(),
      () => false,
    );
  await askForCapture(platform, { dataset, actor, files: named, exists });
  return { id: await platform.engine.submit({ pipeline: producer.pipeline, actor, only: producer.step }) };
}

/**
 * Fills intervals of an incremental dataset again: notes it and starts a run of the step that makes it.
 *
 * @returns what is filled again, in words, and the id of the pipeline run
 * @throws DATA_DATASET_MISSING, DATA_DATASET_NOT_INCREMENTAL, DATA_RESTATEMENT_INVALID
 */
export async function restateProjectDataset(
  platform: Platform,
  request: DatasetRequest & RestatementRequest,
): Promise<{ readonly id: string; readonly restated: string }> {
  const { askToRestate, datasetNotIncremental } = await import("#data");
  const { dataset, actor } = request;
  const loaded = await platform.registerProject(actor);
  const producer = platform.producerOf(dataset);
  const step = loaded.pipelines
    .find(({ name }) => name === producer?.pipeline)
    ?.steps.find(({ name }) => name === producer?.step);
  if (producer === undefined || step?.declaration["incremental"] === undefined)
    throw datasetNotIncremental({ dataset });
  const restated = await askToRestate(platform, request);
  return { id: await platform.engine.submit({ pipeline: producer.pipeline, actor, only: producer.step }), restated };
}

/** Gives held rows of a dataset up: all, or those of one source or rule. @throws DATA_DATASET_MISSING */
export async function discardHeldRows(
  platform: Platform,
  request: DatasetRequest & {
    readonly reason: string;
    readonly rule?: string | undefined;
    readonly source?: string | undefined;
  },
): Promise<{ readonly discarded: number; readonly files: number }> {
  const { discardHeld } = await import("#data");
  return discardHeld(platform, { ...request, project: platform.project });
}
