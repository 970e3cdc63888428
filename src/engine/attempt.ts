import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Digest, Json } from "#base";
import {
  type AssetKind,
  type AssetVersion,
  getAssetVersion,
  listAssetPartitions,
  type ReadTransaction,
} from "#metadata-store";
import {
  type ClaimedStepRun,
  getRunInput,
  getRunOutput,
  setAttemptTrackingRun,
  setStepProgress,
} from "#metadata-store/engine";
import {
  type PipelineDefinition,
  type StepDefinition,
  holds,
  findStep,
  indexOf,
  createProjectFiles,
  type ProjectFiles,
  stepUnknown,
  assertInside,
  ISOLATION_LEVELS,
  type IsolationLevel,
  type CacheKey,
  explainDifference,
  askCache,
  prepareStep,
  type PreparedStep,
  type ReadSources,
  readSources,
  reasonNotToCache,
  toCacheKey,
  combineRecipes,
  digestOfRecipe,
  type Recipe,
  type Scope,
  type AttemptContext,
  type StepOutcome,
  previewOf,
  projectOfPreview,
  reasonToRunAgain,
  toPartitionWrite,
} from "#pipeline";
import type { Executor } from "./executor.ts";
import { type Placed, readPlaced, type TakenOver } from "./takeover.ts";
import { createProcessRunner, resolveSecrets } from "./attempt-process.ts";
import { listItems } from "./list-items.ts";
import { asksNow, buildScope, indexOfItem, itemOf, partitionOfRun } from "./scope.ts";
import { readNeeded } from "./step-results.ts";
import { inputMissing, outputMissing, sourcesChanged, takeoverRefused } from "./errors.ts";
import { pastRunsIn } from "./query/past-runs.ts";
import type { TrackingRun } from "./ports.ts";
import type { AbortCause } from "./end-attempt.ts";
import type { EngineParts } from "./engine-parts.ts";
import type { LogWriter } from "./log-writer.ts";
import { removeWorkFolder, workFolderOf } from "./work-folder.ts";

const PROGRESS_EVERY_MS = 500;

/** How an attempt went, before it is written down. */
export type AttemptResult =
  | { readonly type: "skipped"; readonly reason: string }
  /** The step run listed the items of its step. */
  | { readonly type: "listed"; readonly items: readonly Json[] }
  | {
      readonly type: "cached";
      readonly reason: string;
      readonly key: CacheKey;
      readonly inputs: readonly ReadInput[];
      readonly outputs: readonly { readonly asset: string; readonly versionId: string }[];
      readonly facts: object | undefined;
      readonly results: Readonly<Record<string, string>> | undefined;
      readonly blocks: string | undefined;
    }
  | {
      readonly type: "ended";
      readonly outcome: StepOutcome;
      readonly reason: string;
      readonly key: CacheKey;
      readonly cacheable: boolean;
      readonly inputs: readonly ReadInput[];
      /** Digest of the recipe of what it made, kept as an object. */
      readonly recipe: Digest | undefined;
      /** The weakest isolation of its processes; undefined when the engine itself did the work. */
      readonly isolation: IsolationLevel | undefined;
    }
  | {
      readonly type: "failed";
      readonly error: unknown;
      /** Why an engine ended it; undefined when it failed by itself. */
      readonly cause: AbortCause | undefined;
      readonly facts?: object;
    };

export interface ReadInput {
  readonly asset: string;
  readonly role: string;
  readonly version: AssetVersion;
}

/** What one attempt works with. */
export interface RunningAttempt {
  readonly claimed: ClaimedStepRun;
  readonly definition: PipelineDefinition;
  readonly signal: AbortSignal;
  readonly log: Pick<LogWriter, "write" | "measure" | "unmute">;
  /** Another engine began it, and its process goes on. */
  readonly takenOver?: TakenOver | undefined;
  /** Its process runs elsewhere and takes no place here. */
  park(executor: Executor): void;
  /** Its process outlives this engine. */
  isParked(): boolean;
  /** Its process reached its time limit. */
  timeOut(): void;
  /** It goes on without this engine. */
  isLeft(): boolean;
}

/**
 * Carries out one attempt: looks at the step, asks the cache, runs the kind. Throws what went wrong; writes no result.
 */
export async function performAttempt(parts: EngineParts, running: RunningAttempt): Promise<AttemptResult> {
  const { claimed, definition } = running;
  const step = findStep(definition, claimed.step);
  if (step === undefined)
    throw stepUnknown({
      pipeline: definition.name,
      step: claimed.step,
      steps: definition.steps.map((one) => one.name),
    });
  const scope = await buildScope(parts, running, step);
  const placed = running.takenOver === undefined ? undefined : await readPlaced(parts, claimed);
  const files = createProjectFiles(projectFolderOf(parts, claimed));
  const settled = await settleAtOnce(step, { scope, files, isItem: claimed.matrix !== undefined, placed });
  if (settled !== undefined) return settled;
  const looked = await lookAtStep(parts, running, { step, scope, placed });
  const { key, inputs, keyOf } = looked;
  const { prepared } = looked.first;
  const answer = await findAnswer(parts, claimed, { step, key, prepared, placed });
  if (answer.hit !== undefined) {
    const { outputs, facts, results, blocks } = answer.hit;
    return { type: "cached", reason: answer.reason, key, inputs, outputs, facts, results, blocks };
  }
  const executed = await execute(parts, running, { ...looked, step, reason: answer.reason, placed });
  const { outcome, ran, recipe, isolation } = executed;
  if (outcome.status === "skipped" || outcome.status === "failed") return endedEarly(outcome, running.signal);
  assertOutputs(step, outcome);
  return {
    type: "ended",
    outcome,
    reason: answer.reason,
    key: keyOf(ran),
    cacheable: prepared.cacheable,
    inputs,
    recipe,
    isolation,
  };
}

/** What is known of a step before the cache is asked. */
export type LookedAt = Pick<Execution, "first" | "key" | "inputs" | "projectFolder" | "prepare" | "keyOf">;

/** Reads a step's files, chooses its inputs, and computes its cache key. */
export async function lookAtStep(
  parts: EngineParts,
  running: Pick<RunningAttempt, "claimed" | "definition">,
  of: { readonly step: StepDefinition; readonly scope: Scope; readonly placed: Placed | undefined },
): Promise<LookedAt> {
  const { claimed, definition } = running;
  const { step, scope, placed } = of;
  const projectFolder = projectFolderOf(parts, claimed);
  const project = projectOf(parts, claimed);
  const partition = partitionOfRun(running);
  const known = await parts.store.read((transaction) => knownAssets(transaction, parts.project, { definition, step }));
  const prepare = async (from: ProjectFiles): Promise<Prepared> => {
    const prepared = await prepareStep(step, {
      project,
      kinds: parts.kinds,
      files: from,
      scope,
      knownAssets: known,
      file: definition.file,
      partition,
    });
    return { prepared, sources: await readSources(prepared, from) };
  };
  const first = await prepare(createProjectFiles(projectFolder));
  const inputs = await parts.store.read((transaction) =>
    placed === undefined
      ? chooseInputs(transaction, { home: parts.project, project }, running, first.prepared)
      : readInputs(transaction, placed),
  );
  const identified = await parts.store.read((transaction) => identifyInputs(transaction, project, running, inputs));
  const keyOf = (from: Prepared): CacheKey =>
    toCacheKey(from.prepared, from.sources.recipe, (asset) => identified.get(asset));
  return { first, key: keyOf(first), inputs, projectFolder, prepare, keyOf };
}

/** Where the files are that a run is made of: the project's, or those of a pushed commit. */
function projectFolderOf(parts: Pick<EngineParts, "projectFolder">, { source }: ClaimedStepRun): string {
  return (source as { folder?: string } | undefined)?.folder ?? parts.projectFolder;
}

/** What needs no look at files and inputs: a step that is left out, or that only lists its items. */
async function settleAtOnce(
  step: StepDefinition,
  facts: {
    readonly scope: Scope;
    readonly files: ProjectFiles;
    readonly isItem: boolean;
    readonly placed: Placed | undefined;
  },
): Promise<AttemptResult | undefined> {
  const { scope, files, isItem, placed } = facts;
  const lists = step.forEach !== undefined && !isItem;
  if (placed === undefined && isSkipped(step, scope, lists))
    return { type: "skipped", reason: `when is false: ${step.when ?? ""}` };
  if (step.forEach === undefined || isItem) return undefined;
  return { type: "listed", items: await listItems({ name: step.name, forEach: step.forEach }, { scope, files }) };
}

function isSkipped({ when }: StepDefinition, scope: Scope, lists: boolean): boolean {
  if (when === undefined || !asksNow(when, { lists, isItem: scope["item"] !== undefined })) return false;
  return !holds(when, scope);
}

/** What stands for running a step: what is there, what was made before, or nothing. */
async function findAnswer(
  parts: EngineParts,
  claimed: RunningAttempt["claimed"],
  of: {
    readonly step: StepDefinition;
    readonly key: CacheKey;
    readonly prepared: PreparedStep;
    readonly placed: Placed | undefined;
  },
): Promise<{
  readonly hit: Pick<Cached, "outputs" | "facts" | "results" | "blocks"> | undefined;
  readonly reason: string;
}> {
  const { step, key, prepared, placed } = of;
  if (prepared.known.kind.reachesOut === true && projectOf(parts, claimed) !== parts.project)
    return takeWhatIsThere(parts, claimed, step);
  if (placed !== undefined) return goOn(step, placed, key);
  const { hit, reason } = await lookUp(parts, claimed, { step, key, cacheable: prepared.cacheable });
  return { hit: hit === undefined ? undefined : { ...hit, results: hit.results }, reason };
}

/** What runs is what would be started now, and nothing of the cache. */
function goOn(
  step: StepDefinition,
  placed: Placed,
  { key }: CacheKey,
): { readonly hit: undefined; readonly reason: string } {
  if (placed.key !== key)
    throw takeoverRefused({ step: step.name, reason: "its files, params or inputs have changed since it was started" });
  return { hit: undefined, reason: placed.reason };
}

function lookUp(
  parts: EngineParts,
  claimed: ClaimedStepRun,
  of: { readonly step: StepDefinition; readonly key: CacheKey; readonly cacheable: boolean },
): ReturnType<typeof askCache> {
  const again = reasonToRunAgain(of.step.name, claimed.selection);
  if (!of.cacheable || again !== undefined)
    return Promise.resolve({ hit: undefined, reason: again ?? reasonNotToCache(of.step) });
  const { pipeline, step, matrixIndex, partition } = claimed;
  const ask = (project: string): ReturnType<typeof askCache> =>
    parts.store.read((transaction) =>
      askCache(pastRunsIn(transaction), of.key, { project, pipeline, step, matrixIndex, partition }),
    );
  const project = projectOf(parts, claimed);
  const own = ask(project);
  // What a pull request leaves as it is was made already.
  return project === parts.project
    ? own
    : own.then((answer) => (answer.hit === undefined ? ask(parts.project) : answer));
}

/** Where what an attempt makes belongs: to the project, or to a preview of it. */
function projectOf({ project }: Pick<EngineParts, "project">, { trigger }: RunningAttempt["claimed"]): string {
  const preview = previewOf(trigger);
  return preview === undefined ? project : projectOfPreview(project, preview);
}

type Cached = Extract<AttemptResult, { readonly type: "cached" }>;

/** A preview neither asks the world outside nor writes to it: it has what the project has. */
async function takeWhatIsThere(
  { store, project }: EngineParts,
  claimed: RunningAttempt["claimed"],
  step: StepDefinition,
): Promise<{ readonly hit: Pick<Cached, "outputs" | "facts" | "results" | "blocks">; readonly reason: string }> {
  const outputs: { asset: string; versionId: string }[] = [];
  for (const { asset } of step.makes) {
    const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset }));
    if (version === undefined)
      throw inputMissing({ step: step.name, input: asset, pipelineRunId: claimed.pipelineRunId });
    outputs.push({ asset, versionId: version.id });
  }
  const reason = "a pull request takes what the project has";
  return { hit: { outputs, facts: undefined, results: undefined, blocks: undefined }, reason };
}

function endedEarly(
  outcome: Extract<StepOutcome, { readonly status: "skipped" | "failed" }>,
  signal: AbortSignal,
): AttemptResult {
  if (outcome.status === "skipped") return { type: "skipped", reason: outcome.reason };
  const cause: AbortCause | undefined = signal.aborted ? signal.reason : undefined;
  return { type: "failed", error: outcome.error, cause, facts: outcome.facts };
}

/** A step as it was understood from the files of one folder, and those files. */
interface Prepared {
  readonly prepared: PreparedStep;
  readonly sources: ReadSources;
}

function assertOutputs({ name, outputs: declared = [] }: StepDefinition, outcome: StepOutcome): void {
  if (outcome.status !== "succeeded") return;
  const given = Object.keys(outcome.outputs ?? {});
  const missing = declared.find((output) => !given.includes(output));
  if (missing !== undefined) throw outputMissing({ step: name, output: missing, given });
}

/**
 * The assets of the pipeline, which was checked when it was registered, and what the step reads of other pipelines, of
 * the kind that was made last.
 */
export async function knownAssets(
  transaction: ReadTransaction,
  project: string,
  { definition, step }: { readonly definition: PipelineDefinition; readonly step: StepDefinition },
): Promise<ReadonlyMap<string, AssetKind>> {
  const { assets } = indexOf(definition);
  const foreign = step.inputs.filter(({ asset }) => !assets.has(asset));
  if (foreign.length === 0) return assets;
  const known = new Map<string, AssetKind>();
  for (const { asset } of foreign)
    known.set(asset, (await getAssetVersion(transaction, { project, asset }))?.kind ?? "data");
  return new Map([...known, ...assets]);
}

/**
 * What the run has made, else what the run has read already, else the latest version: of a preview its own, where it
 * has one.
 */
async function chooseInputs(
  transaction: ReadTransaction,
  { home, project }: { readonly home: string; readonly project: string },
  { claimed }: Pick<RunningAttempt, "claimed">,
  prepared: PreparedStep,
): Promise<readonly ReadInput[]> {
  const chosen: ReadInput[] = [];
  const { pipelineRunId } = claimed;
  for (const { asset, role, optional } of prepared.analysis.inputs) {
    const version =
      (await getRunOutput(transaction, { pipelineRunId, asset })) ??
      (await getRunInput(transaction, { pipelineRunId, asset })) ??
      (await getAssetVersion(transaction, { project, asset })) ??
      (await getAssetVersion(transaction, { project: home, asset }));
    if (version !== undefined) chosen.push({ asset, role, version });
    else if (optional !== true) throw inputMissing({ step: claimed.step, input: asset, pipelineRunId });
  }
  return chosen;
}

/** The versions that an engine before had chosen. */
async function readInputs(transaction: ReadTransaction, { inputs }: Placed): Promise<readonly ReadInput[]> {
  const read: ReadInput[] = [];
  for (const { asset, role, versionId } of inputs) {
    const version = await getAssetVersion(transaction, { id: versionId });
    if (version !== undefined) read.push({ asset, role, version });
  }
  return read;
}

/**
 * Inputs as the cache key knows them: of what the pipeline makes by partitions itself, the one that this run makes.
 * What other runs made of other partitions makes no difference.
 */
async function identifyInputs(
  transaction: ReadTransaction,
  project: string,
  { claimed, definition }: Pick<RunningAttempt, "claimed" | "definition">,
  inputs: readonly ReadInput[],
): Promise<ReadonlyMap<string, AssetVersion>> {
  const identified = new Map(inputs.map(({ asset, version }) => [asset, version]));
  const { partition } = claimed;
  if (partition === undefined) return identified;
  const own = indexOf(definition).assets;
  const assets = inputs.map(({ asset }) => asset).filter((asset) => own.has(asset));
  for (const { asset, identity } of await listAssetPartitions(transaction, { project, assets, partition })) {
    const version = identified.get(asset);
    if (version !== undefined) identified.set(asset, { ...version, digest: identity });
  }
  return identified;
}

export interface Execution {
  readonly step: StepDefinition;
  /** As the cache was asked for it. */
  readonly first: Prepared;
  readonly key: CacheKey;
  readonly inputs: readonly ReadInput[];
  readonly reason: string;
  /** What another engine started of it. */
  readonly placed: Placed | undefined;
  readonly projectFolder: string;
  readonly prepare: (files: ProjectFiles) => Promise<Prepared>;
  readonly keyOf: (prepared: Prepared) => CacheKey;
}

interface Executed {
  readonly outcome: StepOutcome;
  /**
   * What was in the attempt's own copy of the project: a file that changed after the cache was asked is in it as it
   * ran.
   */
  readonly ran: Prepared;
  readonly recipe: Digest | undefined;
  readonly isolation: IsolationLevel | undefined;
}

async function execute(parts: EngineParts, running: RunningAttempt, execution: Execution): Promise<Executed> {
  const workFolder = workFolderOf(parts, running.claimed.attemptId);
  mkdirSync(workFolder, { recursive: true });
  const kept = running.takenOver?.trackingRunId;
  const values = kept === undefined ? undefined : parts.ports.keptTrackingRun?.(kept);
  const tracking: Tracking = { run: values === undefined ? undefined : Promise.resolve(values), values };
  let ending: "FINISHED" | "FAILED" | "KILLED" = "FAILED";
  try {
    const workspace = await openWorkspace(parts, execution, workFolder);
    const ran = workspace?.ran ?? execution.first;
    const recipe = await recipeFor(parts, execution, ran);
    const levels: IsolationLevel[] = [];
    const context = await createContext(parts, running, {
      ...execution,
      levels,
      prepared: ran.prepared,
      recipe: digestOfRecipe(recipe),
      workFolder,
      workspace,
      tracking,
    });
    const outcome = await ran.prepared.known.kind.execute(context);
    if (workspace === undefined) await assertUnchanged(execution);
    ending = outcome.status === "failed" ? "FAILED" : "FINISHED";
    return {
      outcome,
      ran,
      recipe: await keepRecipe(parts, { recipe, ran, outcome }),
      isolation: ISOLATION_LEVELS.find((level) => levels.includes(level)),
    };
  } finally {
    if (running.signal.aborted) ending = "KILLED";
    const run = running.isLeft() ? undefined : await tracking.run?.catch(() => undefined);
    await run?.finish(ending).catch((error: unknown) =>
      parts.log.warn("the MLflow run of an attempt could not be closed", {
        attemptId: running.claimed.attemptId,
        error: String(error),
      }),
    );
    // What another engine could still need goes once the end is written.
    if (!running.isParked()) parts.later(removeWorkFolder(parts, running.claimed.attemptId));
  }
}

/** The recipe of what a step makes, without what is installed for it. */
async function recipeFor(parts: EngineParts, { step, inputs }: Execution, ran: Prepared): Promise<Recipe> {
  return combineRecipes(
    {
      asset: ran.prepared.analysis.makes[0]?.asset ?? step.name,
      step: digestOfRecipe(ran.sources.recipe),
    },
    await Promise.all(inputs.map(({ version }) => parts.recipes.inputOf(version))),
  );
}

/** Kept before the version that names it is recorded. Undefined for steps that make nothing. */
async function keepRecipe(
  parts: EngineParts,
  made: { readonly recipe: Recipe; readonly ran: Prepared; readonly outcome: StepOutcome },
): Promise<Digest | undefined> {
  const { recipe, ran, outcome } = made;
  const asset = ran.prepared.analysis.makes[0]?.asset;
  if (outcome.status !== "succeeded" || outcome.made.length === 0 || asset === undefined) return undefined;
  const { environmentLock: lock } = outcome;
  const installed = lock === undefined ? [] : [{ lock, platform: `${process.platform}-${process.arch}` }];
  const whole = {
    ...recipe,
    environments: { ...recipe.environments, ...(lock === undefined ? {} : { [asset]: installed }) },
  };
  await parts.recipes.keep(whole, ran.sources, ran.prepared.analysis.counted ?? {});
  return digestOfRecipe(whole);
}

/** Kinds of the engine read the project itself: what they read must be what was hashed before and is there after. */
async function assertUnchanged({ step, first, key, projectFolder, prepare }: Execution): Promise<void> {
  const { files, code } = key.recipe;
  if (Object.keys(files).length === 0 && code === null) return;
  const now = createProjectFiles(projectFolder);
  refuseOther(step, key, code === null ? await readSources(first.prepared, now) : (await prepare(now)).sources);
}

function refuseOther(step: StepDefinition, key: CacheKey, { recipe }: ReadSources): void {
  if (digestOfRecipe(recipe) === key.recipeDigest) return;
  const now = { ...key, parts: { ...key.parts, ...recipe, format: key.parts.format }, recipe };
  throw sourcesChanged({ step: step.name, changes: explainDifference(key.parts, now) });
}

export interface Workspace {
  readonly folder: string;
  /** What its processes must see beside it. */
  readonly readable: readonly string[];
  readonly ran: Prepared;
}

/** Undefined for kinds that start no process of the user's. */
export async function openWorkspace(
  { ports }: EngineParts,
  { step, first, key, placed, projectFolder, prepare }: Execution,
  workFolder: string,
): Promise<Workspace | undefined> {
  const { kind } = first.prepared.known;
  if (kind.workspace === undefined || ports.createWorkspace === undefined) return undefined;
  const folder = join(workFolder, "project");
  if (placed !== undefined) return { folder, readable: placed.readable, ran: first };
  const { analysis, declaration } = first.prepared;
  const closed = ports.closedWorkspaces === true && kind.isClosed === true && analysis.makes.length > 0;
  const readable = await ports.createWorkspace({
    projectFolder,
    folder,
    made: kind.workspace(declaration as never),
    ...(closed ? { only: [...analysis.files, ...Object.keys(analysis.counted ?? {})] } : {}),
  });
  const ran = await prepare(createProjectFiles(folder, projectFolder));
  // A copy of some files may lack what others have come to import.
  if (closed) refuseOther(step, key, ran.sources);
  return { folder, readable, ran };
}

type Tracking = { run: Promise<TrackingRun> | undefined; values: TrackingRun | undefined };

export async function createContext(
  parts: EngineParts,
  running: RunningAttempt,
  execution: Execution & {
    readonly prepared: PreparedStep;
    readonly recipe: Digest;
    readonly workFolder: string;
    readonly workspace: Workspace | undefined;
    /** Gets the level of each process that was started. */
    readonly levels: IsolationLevel[];
    readonly tracking: Tracking;
  },
): Promise<AttemptContext<unknown>> {
  const { claimed } = running;
  const { step, prepared, projectFolder, workFolder, tracking } = execution;
  const inputs = new Map(execution.inputs.map(({ asset, version }) => [asset, version]));
  const preview = previewOf(claimed.trigger);
  const secrets = await resolveSecrets(parts, step, {
    isOutside: preview?.isOutside === true,
    log: (text) => void running.log.write("stderr", text),
  });
  const commit = await parts.commitOf(claimed.pipelineRunId, projectFolder);
  const located = new Set<string>();
  let progressAt = 0;
  const facts = {
    project: projectOf(parts, claimed),
    projectFolder,
    pipeline: claimed.pipeline,
    step: claimed.step,
    pipelineRunId: claimed.pipelineRunId,
    stepRunId: claimed.stepRunId,
    attemptId: claimed.attemptId,
    index: indexOfItem(step, claimed),
  };
  const trackingRun = (): Promise<TrackingRun> => {
    tracking.run ??= openTrackingRun(parts, {
      ...facts,
      actor: claimed.actor,
      params: prepared.params,
      inputs,
      commit,
    }).then((run) => (tracking.values = run));
    return tracking.run;
  };
  const context: AttemptContext<unknown> = {
    ...facts,
    projectFolder: execution.workspace?.folder ?? projectFolder,
    declaration: prepared.declaration,
    attemptNumber: claimed.attemptNumber,
    actor: claimed.actor,
    ...(preview?.isOutside === true ? { isOutside: true } : {}),
    commit,
    recipe: execution.recipe,
    params: prepared.params,
    ...ownPart(running, step),
    stepResults: () => readNeeded(parts, running, step),
    inputs,
    files: prepared.analysis.files,
    workFolder,
    signal: running.signal,
    log: (text, stream = "stdout") => void running.log.write(stream, text.endsWith("\n") ? text : `${text}\n`),
    progress: (done, total, unit) => {
      const now = parts.clock.monotonic();
      if (now - progressAt < PROGRESS_EVERY_MS && done !== total) return;
      progressAt = now;
      const progress = { done, unit, ...(total === undefined ? {} : { total }) };
      parts.later(
        parts.patientStore.write((transaction) =>
          setStepProgress(transaction, { stepRunId: claimed.stepRunId, progress }),
        ),
      );
    },
    operatorLog: parts.log,
    runProcess: createProcessRunner(parts, running, {
      ...facts,
      definition: step,
      prepared,
      secrets,
      tracking,
      levels: execution.levels,
      readable: () => [...(execution.workspace?.readable ?? []), ...located],
      placed: execution.placed,
      begin: () => ({
        key: execution.key.key,
        reason: execution.reason,
        inputs: execution.inputs.map(({ asset, role, version }) => ({ asset, role, versionId: version.id })),
        readable: [...(execution.workspace?.readable ?? [])],
      }),
    }),
    locate: async (version) => {
      const found = await parts.storageOf(version.kind).locate(version);
      for (const path of [found.path, ...(found.files ?? [])])
        if (path === found.path || !path.startsWith(`${found.path}/`)) located.add(path);
      return found;
    },
    publish: async (output) => {
      await assertInside(output.folder, { folders: [workFolder, context.projectFolder], asset: output.asset });
      return parts.storageOf(output.kind).publish(output, context);
    },
    trackingRun,
    platformUrl: parts.ports.platformUrl,
  };
  return context;
}

/** What a step is told of the item that it is of, and of the partition that it makes. */
function ownPart(
  running: RunningAttempt,
  step: StepDefinition,
): Pick<AttemptContext<unknown>, "item" | "partition" | "partitionWrite"> {
  const partition = partitionOfRun(running);
  const { partitions } = running.definition;
  const { partitionBy } = step;
  if (partition === undefined || partitions === undefined) return itemOf(step, running.claimed);
  return {
    ...itemOf(step, running.claimed),
    partition,
    ...(partitionBy === undefined ? {} : { partitionWrite: toPartitionWrite(partition, partitionBy, partitions) }),
  };
}

async function openTrackingRun(
  parts: EngineParts,
  facts: Parameters<EngineParts["ports"]["openTrackingRun"]>[0],
): Promise<TrackingRun> {
  const run = await parts.ports.openTrackingRun(facts);
  await parts.store.write((transaction) =>
    setAttemptTrackingRun(transaction, { attemptId: facts.attemptId, trackingRunId: run.runId }),
  );
  return run;
}
