// A repository with workflows, and an engine that runs them as a project would.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";
import { systemClock } from "#base";
import {
  createEngine,
  type Engine,
  readLog,
  readRunNumber,
  readStepResults,
  registerPipelines,
  type StepResult,
} from "#engine";
import { certificateVariables, createGit, createLocalExecutor } from "#executors";
import { createProjectFiles, type LoadedProject, loadProjectPipelines, type StepKind } from "#pipeline";
import {
  createJobKind,
  createKeptFiles,
  createWorkflowSource,
  type FoundWorkflow,
  type WorkflowSettings,
} from "#workflows";
import { testPorts } from "../setup/engine.ts";
import { openTestStore } from "../setup/stores.ts";

const run = promisify(execFile);

export interface EndedRun {
  readonly status: string;
  readonly steps: readonly StepResult[];
  /** Status of each step run, by its step; of a matrix, in the order of its combinations. */
  readonly outcomes: Readonly<Record<string, string>>;
  log(step: string): Promise<string>;
}

export interface Repository {
  readonly folder: string;
  readonly engine: Engine;
  readonly loaded: LoadedProject;
  readonly found: readonly FoundWorkflow[];
  run(pipeline: string, params?: Readonly<Record<string, unknown>>, only?: string): Promise<EndedRun>;
}

/** @param workflows text by name; other files by their paths, with a slash */
export async function createRepository(
  files: Readonly<Record<string, string>>,
  settings: Partial<WorkflowSettings> = {},
  secrets: Readonly<Record<string, string>> = {},
): Promise<Repository> {
  const engines: Engine[] = [];
  // Hooks run in the order they were given: engines end before their store is closed.
  after(async () => {
    for (const one of engines) await one.stop();
  });
  const { store, objects, folder: root } = await openTestStore("sqlite");
  const folder = join(root, "project");
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name.includes("/") ? name : `.github/workflows/${name}.yml`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  const git = (...args: string[]) => run("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.c", ...args]);
  await git("init", "-q", "-b", "main");
  await git("add", "-A");
  await git("commit", "-q", "-m", "first");
  const storeFolder = join(root, "store");
  const kind = createJobKind({
    results: (id) => readStepResults(store, id),
    runNumber: (id) => readRunNumber(store, id),
    isProtected: settings.isProtected,
    searchPath: process.env["PATH"] ?? "",
    kept: createKeptFiles(join(storeFolder, "cache")),
    clock: systemClock,
  }) as unknown as StepKind<never>;
  const source = createWorkflowSource({
    kinds: [kind],
    searchPath: process.env["PATH"] ?? "",
    settings: {
      repository: "local/p",
      defaultBranch: "main",
      vars: {},
      secrets: [],
      unsupported: "refuse",
      ...settings,
    },
  });
  const loaded = await loadProjectPipelines({ project: "p", projectFolder: folder, kinds: [], source });
  await registerPipelines(store, { project: "p", pipelines: loaded.pipelines, actor: "ana", atMs: Date.now() });
  const given = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, one]) => (one === undefined ? [] : [[name, one]])),
  );
  const reader = createGit({ environment: { PATH: process.env["PATH"] ?? "" } });
  const engine = createEngine({
    store,
    objects,
    project: "p",
    projectFolder: folder,
    storeFolder,
    kinds: [kind],
    storages: [],
    executors: [
      createLocalExecutor({
        workFolder: join(storeFolder, "work"),
        storeFolder,
        path: process.env["PATH"] ?? "",
        environment: certificateVariables(given),
      }),
    ],
    concurrency: 3,
    ports: {
      ...testPorts,
      commit: (path) => reader.readCommit(path),
      resolveSecret: (name) => Promise.resolve(secrets[name]),
    },
  });
  engines.push(engine);
  return {
    folder,
    engine,
    loaded,
    found: await source.find(createProjectFiles(folder), new Set()),
    async run(pipeline, params = {}, only) {
      const id = await engine.submit({ pipeline, params, actor: "ana", ...(only === undefined ? {} : { only }) });
      const { status } = await engine.runToEnd(id);
      const steps = await readStepResults(store, id);
      const outcomes: Record<string, string> = {};
      for (const one of steps)
        outcomes[one.step] = outcomes[one.step] === undefined ? one.status : `${outcomes[one.step]} ${one.status}`;
      return {
        status,
        steps,
        outcomes,
        async log(step) {
          const pieces = await Promise.all(
            steps
              .filter((one) => one.step === step)
              .map(async (one) =>
                (await readLog({ store, objects }, { stepRunId: one.id, limit: 1000 })).pieces
                  .map(({ text }) => text)
                  .join(""),
              ),
          );
          return pieces.join("");
        },
      };
    },
  };
}

/** Facts of a job: its result, outputs, steps, annotations. */
export function factsOf(ended: EndedRun, step: string): Readonly<Record<string, unknown>> {
  return (ended.steps.find((one) => one.step === step)?.facts ?? {}) as Readonly<Record<string, unknown>>;
}
