import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import type { AssetVersion } from "#metadata-store";
import { digestOfTree, type Blobs, type Tree, writeTree } from "#storage";
import type { RunningService, Services } from "#executors";
import { type Environment, findEnvironment, isolationOf } from "./environment.ts";
import { assetNotDeployable, commandMissing } from "./errors.ts";
import type { ReleaseSettings } from "./release-settings.ts";

export interface ProcessTargetOptions {
  readonly objects: Blobs;
  readonly services: Services;
  /** Where releases are unpacked: `<store>/releases`. */
  readonly folder: string;
  /** `PATH` of the processes, before the release's own `node_modules/.bin`. */
  readonly searchPath: string;
  readonly environments: readonly Environment[];
}

export interface ProcessDeployment {
  readonly deploymentId: string;
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
  readonly version: AssetVersion;
  readonly settings: Extract<ReleaseSettings, { target: "process" }>;
}

/** Puts code into service: unpacks the tree, starts it beside what runs, and switches when it is healthy. */
export async function deployProcess(
  deployment: ProcessDeployment,
  signal: AbortSignal,
  options: ProcessTargetOptions,
): Promise<RunningService> {
  const { project, environment, asset, version, settings } = deployment;
  const tree = treeOf(version);
  const folder = join(options.folder, project, environment, asset, digestOfTree(tree).slice("sha256:".length));
  const demand = isolationOf(findEnvironment(options.environments, environment));
  await unpack(options.objects, tree, { folder, deploymentId: deployment.deploymentId });
  const command = settings.start ?? (await startScript(folder));
  if (command === undefined) throw commandMissing({ asset, files: tree.files.slice(0, 10).map(({ path }) => path) });
  return options.services.deploy(
    { project, environment, name: asset },
    {
      deploymentId: deployment.deploymentId,
      folder,
      command,
      environment: {
        PATH: [join(folder, "node_modules", ".bin"), dirname(process.execPath), options.searchPath].join(delimiter),
        ...settings.environment,
        ESTEIRA_PROJECT: project,
        ESTEIRA_ENVIRONMENT: environment,
        ESTEIRA_VERSION: String(version.version),
        ESTEIRA_DIGEST: version.digest,
      },
      ...(demand === undefined ? {} : { demand }),
      ...(settings.health === undefined ? {} : { health: settings.health }),
      ...(settings.healthTimeoutMs === undefined ? {} : { healthTimeoutMs: settings.healthTimeoutMs }),
    },
    { signal, ...(settings.port === undefined ? {} : { port: settings.port }) },
  );
}

/** The files of code. @throws DELIVERY_ASSET_NOT_DEPLOYABLE */
export function treeOf(version: AssetVersion): Tree {
  const tree = version.content as Tree;
  if (version.kind !== "code" || tree.format !== "tree/1")
    throw assetNotDeployable({ asset: version.asset, kind: version.kind });
  return tree;
}

/** A folder under its final name is whole. */
export async function unpack(
  objects: Blobs,
  tree: Tree,
  place: { readonly folder: string; readonly deploymentId: string },
): Promise<void> {
  if ((await stat(place.folder).catch(() => undefined)) !== undefined) return;
  const partial = `${place.folder}.${place.deploymentId}`;
  await mkdir(dirname(place.folder), { recursive: true });
  await rm(partial, { recursive: true, force: true });
  await writeTree(objects, tree, partial);
  await rename(partial, place.folder).catch(async (error: unknown) => {
    await rm(partial, { recursive: true, force: true });
    if ((await stat(place.folder).catch(() => undefined)) === undefined) throw error;
  });
}

async function startScript(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const scripts = (JSON.parse(text) as { readonly scripts?: Readonly<Record<string, string>> }).scripts;
  return scripts?.["start"];
}
