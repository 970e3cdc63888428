import { join } from "node:path";
import { createEngine, type Engine, registerPipelines } from "#engine";
import { createLocalExecutor } from "#executors";
import type { MetadataStore } from "#metadata-store";
import { loadProjectPipelines, type StepKind } from "#pipeline";
import { type Blobs, createFileSystemBlobs } from "#storage";

/** An engine in this process over the pipelines of a folder: no server, no tracking, no secrets. */
export async function openBenchEngine({
  store,
  folder,
  kinds,
  project = "bench",
  concurrency,
}: {
  readonly store: MetadataStore;
  readonly folder: string;
  readonly kinds: readonly StepKind<never>[];
  readonly project?: string;
  readonly concurrency?: number;
}): Promise<{ readonly engine: Engine; readonly objects: Blobs }> {
  const { pipelines } = await loadProjectPipelines({ project, projectFolder: folder, kinds });
  await registerPipelines(store, { project, pipelines, actor: "bench", atMs: Date.now() });
  const objects = createFileSystemBlobs(join(folder, "objects"));
  const engine = createEngine({
    store,
    objects,
    project,
    projectFolder: folder,
    storeFolder: folder,
    kinds,
    storages: [],
    executors: [createLocalExecutor({ workFolder: join(folder, "work") })],
    ports: {
      platformUrl: () => Promise.resolve("http://127.0.0.1:1"),
      openTrackingRun: () => Promise.reject(new Error("no tracking here")),
      killTrackingRun: () => Promise.resolve(),
      attemptToken: () => Promise.resolve("token"),
      commit: () => Promise.resolve(undefined),
      resolveSecret: () => Promise.resolve(undefined),
    },
    ...(concurrency === undefined ? {} : { concurrency }),
  });
  return { engine, objects };
}
