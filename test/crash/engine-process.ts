// One engine in a process of its own, for being killed: node engine-process.ts ADDRESS FOLDER PROJECT_FOLDER
import { join } from "node:path";
import { createIsolation, createLocalExecutor, createRunKind } from "#executors";
import { openMetadataStore } from "#metadata-store";
import { keepLeases } from "#metadata-store/engine";
import { createFileSystemBlobs } from "#storage";
import { assertValid, loadProjectPipelines, type StepKind } from "#pipeline";
import { createEngine, listPipelineRuns, registerPipelines } from "#engine";
import { testLog, testPorts } from "../setup/engine.ts";

const [address = "", folder = "", projectFolder = ""] = process.argv.slice(2);
const store = await openMetadataStore(address);
const kinds = [createRunKind() as StepKind<never>];
const loaded = assertValid(await loadProjectPipelines({ project: "p", projectFolder, kinds }));
await registerPipelines(store, { project: "p", pipelines: loaded.pipelines, actor: "ana", atMs: Date.now() });
const engine = createEngine({
  store,
  objects: createFileSystemBlobs(join(folder, "objects")),
  project: "p",
  projectFolder,
  storeFolder: folder,
  kinds,
  storages: [],
  executors: [createLocalExecutor({ workFolder: join(folder, "work"), isolation: createIsolation({ level: "none" }) })],
  ports: { ...testPorts, keepLeases: (facts) => keepLeases({ ...facts, address }) },
  log: testLog,
  concurrency: 3,
});
// Its loop stands still for longer than a lease.
process.on("SIGUSR2", () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 9000));
process.on("SIGTERM", () => void engine.stop({ interrupt: true }).then(() => process.exit(0)));
const [known] = await listPipelineRuns(store, { project: "p" });
const id = known?.id ?? (await engine.submit({ pipeline: "crash", actor: "ana" }));
if (known?.status === "interrupted") await engine.resume(id, { actor: "ana" });
console.log("working");
const run = await engine.runToEnd(id);
await engine.stop();
await store.close();
console.log(`ended ${run.status}`);
