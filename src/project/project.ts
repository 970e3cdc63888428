import type { ContractSummary } from "#api";
import type { LocatedProblem, Log } from "#base";
import {
  type KnownExecutor,
  type LoadedProject,
  loadProjectPipelines,
  type PipelineDefinition,
  type PipelineSource,
  type Pools,
  type Sensing,
  type StepKind,
} from "#pipeline";
import { readContractSummary } from "./contract-summary.ts";
import { readMonitorFiles } from "./monitor-files.ts";
import { createProjectGraph, type ProjectGraph } from "./project-graph.ts";
import { addProblems, findProjectProblems } from "./project-problems.ts";
import { createProjectWatch } from "./project-watch.ts";

export interface ProjectOptions {
  readonly project: string;
  readonly folder: string;
  /** Not looked through, wherever it is. */
  readonly storeFolder: string;
  readonly kinds: readonly StepKind<never>[];
  /** Of pipelines beside those of the folder `pipelines`. */
  readonly source?: PipelineSource | undefined;
  /** Of `esteira.yaml`. */
  readonly pools?: Pools | undefined;
  /** Where steps can run beside `local`. */
  readonly executors?: readonly KnownExecutor[];
  /** Names that `notify` of monitor files may hold; default: any. */
  readonly alertRoutes?: readonly string[];
  /** Looks over what sensors are declared to look at. */
  readonly sensing?: Sensing | undefined;
  /** Makes a project without mistakes the one in force; followed by `use`. */
  readonly putInForce: (loaded: LoadedProject) => Promise<void>;
  readonly log: Log;
}

/**
 * The files of a project, in memory.
 *
 * States: read (what `use` gave last is in force) → followed (after `follow`: a change of a file is read and put in
 * force by itself, one with mistakes is told and leaves the last good one in force) → ended.
 */
export interface Project {
  /** Reads and checks every file; nothing is changed. */
  load(): Promise<LoadedProject>;
  /** Content of the monitor files, by project-relative path. */
  monitorFiles(): Promise<ReadonlyMap<string, string>>;
  /** From now on answers from these pipelines. */
  use(pipelines: readonly PipelineDefinition[]): void;
  /** Who makes and who reads what, by the pipelines in force. */
  graph(): ProjectGraph;
  /** The contract of the step that makes a dataset; undefined when it has none. */
  contractOf(dataset: string): Promise<ContractSummary | undefined>;
  /** Mistakes of the files as they are now, while they are followed. */
  problems(): readonly LocatedProblem[];
  /** @param seen what is in force already, as it was read */
  follow(seen: LoadedProject): Promise<void>;
  stop(): Promise<void>;
}

export function createProject(options: ProjectOptions): Project {
  const { project, folder, kinds, source, pools, sensing } = options;
  let graph = createProjectGraph([]);
  let isFollowed = false;
  const contracts = new Map<string, Promise<ContractSummary | undefined>>();
  const load = async (): Promise<LoadedProject> =>
    addProblems(
      await loadProjectPipelines({
        project,
        projectFolder: folder,
        kinds,
        source,
        pools,
        executors: options.executors,
        sensing,
      }),
      await findProjectProblems(folder, options.alertRoutes),
    );
  const watch = createProjectWatch({
    folder,
    storeFolder: options.storeFolder,
    log: options.log,
    load,
    register: options.putInForce,
  });
  return {
    load,
    monitorFiles: () => readMonitorFiles(folder),
    use(pipelines) {
      graph = createProjectGraph(pipelines);
      contracts.clear();
    },
    graph: () => graph,
    contractOf(dataset) {
      const known = contracts.get(dataset) ?? readContractSummary({ graph, dataset, projectFolder: folder });
      // Nobody would tell of a change of files that are not followed.
      if (isFollowed && graph.contractFileOf(dataset) !== undefined) contracts.set(dataset, known);
      return known;
    },
    problems: () => watch.problems(),
    async follow(seen) {
      await watch.start(seen);
      contracts.clear();
      isFollowed = true;
    },
    async stop() {
      isFollowed = false;
      await watch.stop();
    },
  };
}
