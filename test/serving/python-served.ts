import { join } from "node:path";
import { digestOf, systemClock } from "#base";
import { createLocalExecutor, createWorkers } from "#executors";
import { type AssetVersion, type MetadataStore, recordAssetVersion } from "#metadata-store";
import { createModelStorage, locateModel } from "#models";
import type { Blobs } from "#storage";
import type { AttemptContext } from "#pipeline";
import type { PythonServing } from "#serving";
import { testCache } from "../setup/cache-folder.ts";
import { testEnvironments } from "../setup/attempt.ts";
import { temporaryFolder } from "../setup/stores.ts";

/** What a platform gives serving for Python models, over a store of a test. */
export async function pythonServing(objects: Blobs): Promise<PythonServing> {
  const folder = await temporaryFolder();
  const workFolder = join(folder, "work");
  return {
    environments: testEnvironments,
    workers: createWorkers({ executor: createLocalExecutor({ workFolder, storeFolder: folder }), workFolder }),
    locate: (version) => locateModel(version, { objects, folder: join(folder, "models") }),
    cacheFolder: join(testCache(), "test-bytecode"),
    memoryBytes: 2 * 1024 ** 3,
  };
}

/** Stores a folder as a step's output of kind `model`, the way the engine does. */
export async function publishModel(
  { store, objects }: { readonly store: MetadataStore; readonly objects: Blobs },
  folder: string,
  asset = "delay",
): Promise<AssetVersion> {
  const storage = createModelStorage({
    store,
    objects,
    folder: await temporaryFolder(),
    runs: { readRun: async () => ({ params: new Map(), metrics: new Map(), artifactUri: undefined }) },
    clock: systemClock,
  });
  const attempt: Partial<AttemptContext<unknown>> = {
    project: "p",
    pipeline: "train",
    step: asset,
    pipelineRunId: "run",
    stepRunId: "step",
    attemptId: "attempt",
    actor: "ana",
    params: {},
    inputs: new Map(),
    trackingRun: async () => ({ runId: "r1", experimentId: "0" }),
  };
  const published = await storage.publish({ asset, kind: "model", folder }, attempt as AttemptContext<unknown>);
  return store.write(async (transaction) => {
    const { version } = await recordAssetVersion(transaction, {
      ...published.made,
      digest: digestOf(`${published.made.digest}${Math.random()}`),
      project: "p",
      madeAtMs: systemClock.now(),
      actor: "ana",
      inputs: [],
    });
    return version;
  });
}
