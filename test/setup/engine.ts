import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after } from "node:test";
import type { Log } from "#base";
import { createLocalExecutor, createRunKind } from "#executors";
import type { MetadataStore, StoreKind } from "#metadata-store";
import type { Blobs } from "#storage";
import { assertValid, loadProjectPipelines, type LoadedProject, type Pools, type StepKind } from "#pipeline";
import { createEngine, type Engine, type EngineOptions, type EnginePorts, registerPipelines } from "#engine";
import { openTestStore, type TestStore } from "./stores.ts";

/** A project in a temporary folder with its store, and engines that work on it. */
export interface TestProject extends TestStore {
  readonly projectFolder: string;
  readonly kinds: readonly StepKind<never>[];
  write(path: string, content: string): Promise<void>;
  load(): Promise<LoadedProject>;
  /** Loads, checks and registers the pipelines as they are in the folder now. */
  register(): Promise<LoadedProject>;
  /** An engine that is stopped after the current suite. */
  engine(options?: Partial<EngineOptions>): Engine;
}

export const testPorts: EnginePorts = {
  platformUrl: () => Promise.resolve("http://127.0.0.1:1"),
  openTrackingRun: () => Promise.reject(new Error("no tracking in this test")),
  killTrackingRun: () => Promise.resolve(),
  attemptToken: ({ attemptId }) => Promise.resolve(`token-of-${attemptId}`),
  commit: () => Promise.resolve({ id: "0123456789abcdef", dirty: false }),
  resolveSecret: (name) => Promise.resolve(name === "TOKEN" ? "s3cret-value" : undefined),
};

/** Makes a project of the given files; `run` steps and the given kinds are known. */
export async function createTestProject(
  kind: StoreKind,
  files: Readonly<Record<string, string>>,
  kinds: readonly StepKind<never>[] = [],
  pools: Pools = {},
): Promise<TestProject> {
  const engines: Engine[] = [];
  // Hooks run in the order they were given: engines end before their store is closed.
  after(async () => {
    for (const engine of engines) await engine.stop();
  });
  const opened = await openTestStore(kind);
  return useProject({ ...opened, engines, pools }, join(opened.folder, "project"), files, [
    createRunKind() as StepKind<never>,
    ...kinds,
  ]);
}

async function useProject(
  opened: TestStore & { readonly engines: Engine[]; readonly pools: Pools },
  projectFolder: string,
  files: Readonly<Record<string, string>>,
  kinds: readonly StepKind<never>[],
): Promise<TestProject> {
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(dirname(join(projectFolder, path)), { recursive: true });
    await writeFile(join(projectFolder, path), content);
  };
  await mkdir(projectFolder, { recursive: true });
  for (const [path, content] of Object.entries(files)) await write(path, content);
  const load = (): Promise<LoadedProject> =>
    loadProjectPipelines({ project: "p", projectFolder, kinds, pools: opened.pools });
  return {
    ...opened,
    projectFolder,
    kinds,
    write,
    load,
    async register() {
      const loaded = assertValid(await load());
      await registerPipelines(opened.store, {
        project: "p",
        pipelines: loaded.pipelines,
        actor: "ana",
        atMs: Date.now(),
      });
      return loaded;
    },
    engine: (options = {}) => {
      const engine = startEngine({
        store: opened.store,
        objects: opened.objects,
        folder: opened.folder,
        projectFolder,
        kinds,
        ...options,
      });
      opened.engines.push(engine);
      return engine;
    },
  };
}

/** Warnings and errors go to stderr: a test that causes them shows them. */
export const testLog: Log = {
  debug() {},
  info() {},
  warn: (message, facts) => console.error("warn:", message, JSON.stringify(facts)),
  error: (message, facts) => console.error("error:", message, JSON.stringify(facts)),
};

function startEngine(
  options: {
    readonly store: MetadataStore;
    readonly objects: Blobs;
    readonly folder: string;
    readonly projectFolder: string;
    readonly kinds: readonly StepKind<never>[];
  } & Partial<EngineOptions>,
): Engine {
  const { folder, ...given } = options;
  return createEngine({
    project: "p",
    storeFolder: folder,
    storages: [],
    executors: [createLocalExecutor({ workFolder: join(folder, "work"), writable: [folder] })],
    ports: testPorts,
    log: testLog,
    concurrency: 4,
    ...given,
  });
}
