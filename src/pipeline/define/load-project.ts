import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { formatProblems, type LocatedProblem } from "#base";
import type { AssetKind } from "#metadata-store";
import { definitionInvalid } from "../errors.ts";
import type { AnalysisContext, StepAnalysis, StepKind } from "../step-kind.ts";
import { analyseStep, type CompiledStep, compileStep, toConcurrency, toStepDefinition } from "./compile-step.ts";
import type { PipelineDefinition } from "./definition.ts";
import { type Partition, samplePartition } from "../plan/partition.ts";
import { toDeadline } from "./deadlines.ts";
import { inferEdges } from "./edges.ts";
import { sensorProblems } from "./sensor-problems.ts";
import type { Sensing } from "../sensing.ts";
import { findCycle, topologicalOrder } from "./graph.ts";
import { type ParsedPipeline, parsePipeline, placeInStep, placeStepProblems } from "./parse-pipeline.ts";
import { expandParts } from "./expand-parts.ts";
import { readParts } from "./part-file.ts";
import { placeProblems } from "./place-problems.ts";
import { poolProblems, type Pools } from "./pools.ts";
import { type KnownExecutor, unknownExecutor } from "./placement.ts";
import { createProjectFiles, type ProjectFiles } from "./project-files.ts";
import { knowKinds, type KnownKind, type KnownKinds } from "./step-kinds.ts";
import { triggerProblems } from "./trigger-problems.ts";

/**
 * Where pipelines come from beside the folder `pipelines`. What it finds wrong keeps its own pipelines from running,
 * and no other.
 */
export interface PipelineSource {
  /** Of the steps that its pipelines have; nobody can write them into a pipeline. */
  readonly kinds: readonly StepKind<never>[];
  /** @param taken names that other pipelines have */
  read(
    files: ProjectFiles,
    taken: ReadonlySet<string>,
  ): Promise<{ readonly pipelines: readonly PipelineDefinition[]; readonly notices: readonly LocatedProblem[] }>;
}

/** The pipelines of a project, read and checked. */
export interface LoadedProject {
  readonly project: string;
  /** Absolute. */
  readonly projectFolder: string;
  /** Those that could be compiled; run none of them while there are problems. */
  readonly pipelines: readonly PipelineDefinition[];
  /** Every mistake of every file, in order of file and place. */
  readonly problems: readonly LocatedProblem[];
  /** What people should know of files that keep nothing else from running: workflows that cannot run here. */
  readonly notices: readonly LocatedProblem[];
  /** For planning: each step's kind and what it understood, by pipeline and step. */
  readonly analyses: ReadonlyMap<string, ReadonlyMap<string, StepAnalysis>>;
  readonly kinds: KnownKinds;
}

/** A pipeline with its steps compiled, on the way to its definition. */
export interface CompiledPipeline {
  readonly parsed: ParsedPipeline;
  readonly steps: readonly CompiledStep[];
  readonly analyses: ReadonlyMap<string, StepAnalysis>;
}

/**
 * Reads and checks every pipeline of a project: all mistakes of all files at once, nothing runs.
 *
 * @param options.projectFolder absolute folder of `esteira.yaml`
 * Never throws for what a file says: see `problems`, or call {@link assertValid}.
 */
export async function loadProjectPipelines(options: {
  readonly project: string;
  readonly projectFolder: string;
  readonly kinds: readonly StepKind<never>[];
  readonly source?: PipelineSource | undefined;
  /** Those of `esteira.yaml`. */
  readonly pools?: Pools | undefined;
  /** Those of the project, without `local`. Without it, names of executors are not checked. */
  readonly executors?: readonly KnownExecutor[] | undefined;
  /** Looks over what sensors are declared to look at. */
  readonly sensing?: Pick<Sensing, "check"> | undefined;
}): Promise<LoadedProject> {
  const kinds = knowKinds(options.kinds);
  const files = createProjectFiles(options.projectFolder);
  const problems: LocatedProblem[] = [];
  const parsed: ParsedPipeline[] = [];
  let isWhole = true;
  const parts = await readParts(files);
  problems.push(...parts.problems);
  for (const file of await pipelineFiles(options.projectFolder)) {
    const read = parsePipeline(file, (await files.readFile(file)) ?? "");
    problems.push(...read.problems);
    isWhole &&= read.pipeline !== undefined;
    if (read.pipeline === undefined) continue;
    const expanded = expandParts(read.pipeline, parts.parts);
    problems.push(...expanded.problems);
    parsed.push(expanded.pipeline);
  }
  const compiled = parsed.map((pipeline) => ({
    parsed: pipeline,
    steps: Object.entries(pipeline.steps).map(([name, step]) =>
      compileStep(name, step, pipeline, { kinds, executors: options.executors }),
    ),
  }));
  const analysed = await analyseAll(compiled, { ...options, files });
  problems.push(...analysed.flatMap((pipeline) => problemsOfSteps(pipeline, options.pools ?? {})));
  problems.push(...analysed.flatMap(({ parsed: one }) => pipelineExecutorProblems(one, options.executors)));
  problems.push(...parsed.flatMap((pipeline) => sensorProblems(pipeline, options.sensing)));
  problems.push(...files.problems());
  const { edges, problems: edgeProblems } = inferEdges(analysed);
  problems.push(...edgeProblems, ...triggerProblems(analysed));
  const pipelines = analysed.flatMap((pipeline) =>
    toDefinition(pipeline, {
      edges: edges.get(pipeline.parsed.name) ?? new Map(),
      problems,
      executors: options.executors,
    }),
  );
  const more = await options.source?.read(files, new Set(parsed.map(({ name }) => name)));
  return {
    project: options.project,
    projectFolder: files.folder,
    pipelines: [...pipelines, ...(more?.pipelines ?? [])],
    notices: more?.notices ?? [],
    problems: inOrder(isWhole ? problems : problems.filter(({ isMissed }) => isMissed !== true)),
    analyses: new Map(analysed.map((pipeline) => [pipeline.parsed.name, pipeline.analyses])),
    kinds: knowKinds([...options.kinds, ...(options.source?.kinds ?? [])]),
  };
}

function inOrder(problems: readonly LocatedProblem[]): readonly LocatedProblem[] {
  return problems
    .map(({ file, line, column, message, hint }) => ({
      file,
      line,
      column,
      message,
      ...(hint === undefined ? {} : { hint }),
    }))
    .toSorted(
      (left, right) => left.file.localeCompare(right.file) || left.line - right.line || left.column - right.column,
    );
}

function problemsOfSteps({ parsed, steps, analyses }: CompiledPipeline, pools: Pools): readonly LocatedProblem[] {
  return steps.flatMap((step) =>
    placeStepProblems(parsed, step.name, [
      ...step.problems,
      ...poolProblems(step.keys, pools),
      ...(analyses.get(step.name)?.problems ?? []),
    ]),
  );
}

/**
 * Returns the project when nothing is wrong with it.
 *
 * @throws PIPELINE_DEFINITION_INVALID with every mistake, one a line as `file:line:column: message`
 */
export function assertValid(loaded: LoadedProject): LoadedProject {
  if (loaded.problems.length > 0)
    throw definitionInvalid({ count: loaded.problems.length, text: formatProblems(loaded.problems) });
  return loaded;
}

async function pipelineFiles(projectFolder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(join(projectFolder, "pipelines"));
    return names
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => `pipelines/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

type Unanalysed = Omit<CompiledPipeline, "analyses">;

/** Two passes: what each asset is becomes known by the first, so that the second can check against it. */
async function analyseAll(
  pipelines: readonly Unanalysed[],
  options: { readonly project: string; readonly files: ProjectFiles },
): Promise<readonly CompiledPipeline[]> {
  const guessed = new Map<string, AssetKind>(
    pipelines.flatMap(({ steps }) => steps.map((step) => [step.name, "data"] as const)),
  );
  const first = await analyseOnce(pipelines, guessed, options);
  const known = new Map<string, AssetKind>(
    pipelines.flatMap(({ steps }) =>
      steps.filter((step) => step.parsed === undefined).map((step) => [step.name, "data"] as const),
    ),
  );
  for (const { analyses } of first)
    for (const analysis of analyses.values()) for (const { asset, kind } of analysis.makes) known.set(asset, kind);
  const same = known.size === guessed.size && [...known].every(([asset, kind]) => guessed.get(asset) === kind);
  return same ? first : analyseOnce(pipelines, known, options);
}

async function analyseOnce(
  pipelines: readonly Unanalysed[],
  knownAssets: ReadonlyMap<string, AssetKind>,
  options: { readonly project: string; readonly files: ProjectFiles },
): Promise<readonly CompiledPipeline[]> {
  return Promise.all(
    pipelines.map(async (pipeline) => {
      const analyses = new Map<string, StepAnalysis>();
      for (const step of pipeline.steps) {
        const { partitions } = pipeline.parsed;
        const analysis = await analyseStep(
          step,
          createAnalysisContext({
            ...options,
            step: step.name,
            knownAssets,
            partition: partitions === undefined ? undefined : samplePartition(partitions),
          }),
        );
        if (analysis !== undefined) analyses.set(step.name, analysis);
      }
      return { ...pipeline, analyses };
    }),
  );
}

/** What a kind sees while it looks at a step. */
export function createAnalysisContext(facts: {
  readonly project: string;
  readonly files: ProjectFiles;
  readonly step: string;
  readonly knownAssets: ReadonlyMap<string, AssetKind>;
  readonly partition?: Partition | undefined;
}): AnalysisContext {
  return {
    project: facts.project,
    projectFolder: facts.files.folder,
    step: facts.step,
    knownAssets: facts.knownAssets,
    ...(facts.partition === undefined ? {} : { partition: facts.partition }),
    readFile: (path) => facts.files.readFile(path),
    glob: (pattern) => facts.files.glob(pattern),
  };
}

function pipelineExecutorProblems(
  { yaml, executor }: ParsedPipeline,
  executors: readonly KnownExecutor[] | undefined,
): readonly LocatedProblem[] {
  const problem = executor === undefined ? undefined : unknownExecutor(executor, executors);
  return problem === undefined ? [] : placeProblems(yaml, [], [{ ...problem, path: ["executor"] }]);
}

function toDefinition(
  pipeline: CompiledPipeline,
  {
    edges,
    problems,
    executors,
  }: {
    readonly edges: ReadonlyMap<string, readonly string[]>;
    readonly problems: LocatedProblem[];
    readonly executors: readonly KnownExecutor[] | undefined;
  },
): readonly PipelineDefinition[] {
  const { parsed, steps, analyses } = pipeline;
  const cycle = findCycle(edges);
  if (cycle !== undefined) {
    const place = (step: string) => placeInStep(parsed, step, [], true);
    const path = cycle
      .map((step) => `${step} (${parsed.origins.has(step) ? `${place(step).file} ` : ""}line ${place(step).line})`)
      .join(" → needs ");
    problems.push({
      ...place(cycle[0] ?? ""),
      message: `these steps wait for each other: ${path}`,
      hint: "Take one of these edges out.",
    });
    return [];
  }
  const complete = steps.flatMap((step) => {
    const analysis = analyses.get(step.name);
    return analysis === undefined || step.known === undefined
      ? []
      : [{ step: { ...step, known: step.known as KnownKind }, analysis }];
  });
  if (complete.length !== steps.length) return [];
  const byName = new Map(complete.map((entry) => [entry.step.name, entry]));
  const ordered = topologicalOrder(edges).flatMap((name) => byName.get(name) ?? []);
  const definitions = ordered.map(({ step, analysis }) =>
    toStepDefinition(step, analysis, {
      needs: edges.get(step.name) ?? [],
      isFinal: parsed.finalSteps.has(step.name),
      partitions: parsed.partitions,
      executor: parsed.executor,
      executors,
      origin: parsed.origins.get(step.name),
    }),
  );
  const loads = definitions.map((step) => step.load);
  return [
    {
      format: "pipeline/1",
      name: parsed.name,
      file: parsed.yaml.file,
      load: loads.includes("models") ? "models" : loads.includes("data") ? "data" : "code",
      on: parsed.on,
      params: parsed.params,
      ...(parsed.retrain === undefined ? {} : { retrain: parsed.retrain }),
      ...(parsed.partitions === undefined ? {} : { partitions: parsed.partitions }),
      concurrency:
        parsed.partitions !== undefined && parsed.concurrency === undefined
          ? { group: parsed.name, limit: 1, perPartition: true }
          : toConcurrency(parsed.concurrency ?? 1, parsed.name),
      ...(parsed.priority === undefined ? {} : { priority: parsed.priority }),
      ...(parsed.deadline === undefined ? {} : { deadline: toDeadline(parsed.deadline) }),
      steps: definitions,
      ...(parsed.description === undefined ? {} : { description: parsed.description }),
    },
  ];
}
