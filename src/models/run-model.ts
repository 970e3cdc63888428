import type { MetadataStore } from "#metadata-store";
import { searchLoggedModels } from "#metadata-store/registry";
import { ATTEMPT_TAG } from "#registry";
import type { ArtifactFolder } from "#tracking";
import { copyArtifacts } from "./copy-artifacts.ts";
import { modelNotSaved } from "./errors.ts";
import { ML_MODEL_FILE } from "./ml-model-file.ts";

/** Where the attempt of a step logs to. */
export interface ModelRun {
  readonly attemptId: string;
  readonly experimentId: string;
  readonly artifactUri: string | undefined;
}

interface Found {
  readonly name: string;
  /** Where its files are. */
  readonly location: string;
}

/**
 * Copies the model that a step logged to its run with `log_model` of an MLflow flavor into a folder: the one that is
 * named like the asset, or the only one. Of several of one name, the last.
 *
 * @throws MODELS_NOT_SAVED when there is none, or it cannot be told which
 */
export async function takeRunModel(
  { asset, folder, run }: { readonly asset: string; readonly folder: string; readonly run: ModelRun },
  { store, artifacts }: { readonly store: MetadataStore; readonly artifacts?: ArtifactFolder | undefined },
): Promise<void> {
  const found =
    artifacts === undefined ? [] : [...(await loggedModels(run, store)), ...(await pathsOf(run, artifacts))];
  const names = [...new Set(found.map(({ name }) => name))];
  const wanted = names.length === 1 ? names[0] : asset;
  const model = found.find(({ name }) => name === wanted);
  if (model === undefined || artifacts === undefined) throw modelNotSaved({ asset, logged: names });
  await copyArtifacts(artifacts.at(model.location), folder);
}

/** MLflow 3 keeps them beside the run, and names the run only where one was active. Newest first. */
async function loggedModels({ attemptId, experimentId }: ModelRun, store: MetadataStore): Promise<readonly Found[]> {
  const { models } = await store.read((transaction) =>
    searchLoggedModels(transaction, {
      experimentIds: [experimentId],
      conditions: [{ on: "tag", key: ATTEMPT_TAG, comparator: "=", value: attemptId }],
    }),
  );
  return models.map(({ name, artifactUri }) => ({ name, location: artifactUri }));
}

/** MLflow 2 lays them into folders of the run's own artifacts. */
async function pathsOf({ artifactUri }: ModelRun, artifacts: ArtifactFolder): Promise<readonly Found[]> {
  if (artifactUri === undefined) return [];
  const root = artifacts.at(artifactUri);
  const folders = (await root.folder.list(root.path)).filter(({ isFolder }) => isFolder);
  const listed = await Promise.all(
    folders.map(async ({ name }) => ({ name, files: await root.folder.list(`${root.path}/${name}`) })),
  );
  return listed
    .filter(({ files }) => files.some(({ name }) => name === ML_MODEL_FILE))
    .map(({ name }) => ({ name, location: `${artifactUri.replace(/\/+$/, "")}/${name}` }));
}
