/**
 * Captures a folder into a dataset and records the outcome, as the engine does; `npm test` kills it at any moment.
 * Arguments: store address, store folder, project folder, step run id, and a declaration (JSON) instead of the files'.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createCaptureKind, createDatasets } from "#data";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";
import type { AttemptContext } from "#pipeline";
import { TEST_POSTGRES } from "../setup/databases.ts";

const [address = "", folder = "", projectFolder = "", stepRunId = "", declared] = process.argv.slice(2);
const store = await openMetadataStore(address);
const objects = createFileSystemBlobs(join(folder, "objects"));
const analytics = createAnalytics({ folder: join(folder, "spill"), threads: 1 });
const datasets = createDatasets({
  store,
  objects,
  files: createFileSystemFiles({ root: join(folder, "datasets") }),
  analytics,
  clock: systemClock,
  log: silentLog,
});
const capture = createCaptureKind({
  store,
  objects,
  analytics,
  datasets,
  files: createFileSystemFiles({ root: join(folder, "datasets") }),
  captureHosts: ["127.0.0.1", "localhost"],
  secret: () => process.env["ESTEIRA_TEST_SOURCE"] ?? TEST_POSTGRES,
  taps: { run: () => Promise.reject(new Error("no tap is captured here")) },
});
const workFolder = join(folder, "work", newId());
await mkdir(workFolder, { recursive: true });
process.stdout.write("started\n");
const outcome = await capture.execute({
  declaration:
    declared === undefined
      ? { capture: { files: "*.csv", version_per: "file" }, contract: "contract.yaml" }
      : (JSON.parse(declared) as object),
  project: "p",
  projectFolder,
  pipeline: "x",
  step: "d",
  pipelineRunId: "r",
  stepRunId,
  attemptId: newId(),
  attemptNumber: 1,
  actor: "me",
  commit: undefined,
  params: {},
  inputs: new Map(),
  workFolder,
  signal: new AbortController().signal,
  log: () => {},
  progress: () => {},
  operatorLog: silentLog,
} as unknown as AttemptContext<never>);
if (outcome.status !== "succeeded") throw new Error(outcome.status);
await store.write(async (transaction) => {
  await outcome.alsoWrite?.(transaction);
  for (const made of outcome.made)
    await recordAssetVersion(transaction, { project: "p", madeAtMs: Date.now(), actor: "engine", inputs: [], ...made });
});
process.stdout.write("recorded\n");
await outcome.afterwards?.();
await store.close();
process.exit(0);
