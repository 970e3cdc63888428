import { lstat, mkdir, readFile, realpath, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { entryFile, type Clock, type Json, messageOf } from "#base";
import type { StepResult } from "#engine";
import type { AttemptContext, StepKind, StepOutcome } from "#pipeline";
import { JOB_KIND } from "./compile-workflow.ts";
import {
  environmentGuarded,
  folderMoved,
  jobCancelled,
  jobCannotRun,
  jobFailed,
  otherSystem,
  resultUnreadable,
} from "./errors.ts";
import { type ExpressionScope, holds, interpolateAll, interpolateText } from "./expression.ts";
import {
  callInputs,
  dispatchInputs,
  evaluateFlag,
  evaluateNumber,
  eventOf,
  githubContext,
  type JobContexts,
  type JobFacts,
  needsContext,
  statusFunctions,
  withInputs,
} from "./job-contexts.ts";
import { asText, membersOf } from "./json.ts";
import { type JobPlan, type JobResult, jobResultSchema } from "./job-plan.ts";
import { toolFolders } from "./machine-tools.ts";
import type { KeptFiles } from "./kept-files.ts";
import { type Combination, describeCombination, expandMatrix } from "./matrix.ts";
import { environmentOf, otherSystemOf } from "./runner-labels.ts";
import { declarationSchema, type JobDeclaration, type PinnedJob, unpinJob } from "./pinned-job.ts";

const MINUTE_MS = 60_000;
const LONGEST_JOB_MINUTES = 360;
const LARGEST_RESULT_BYTES = 8 * 2 ** 20;
/** How often a combination looks whether another has failed. */
const LOOK_MS = 500;
/** After a cancel, what cleans up has five minutes; then the runner is ended too. */
const GRACE_MS = 5 * MINUTE_MS + 15_000;
const MOST_FACT_TEXT = 60_000;
/** What the runner reads beside its own file: sources or bundle, and the packages that they import. */
const OWN_FILES = ["src", "dist", "node_modules", "package.json"];

export interface JobKindOptions {
  /** How many runs of its pipeline there were up to this one, itself among them. */
  readonly runNumber: (pipelineRunId: string) => Promise<number>;
  /** Where the machine's tools are. */
  readonly searchPath: string;
  readonly isProtected?: ((environment: string) => boolean) | undefined;
  /** What the step runs of a pipeline run have come to. */
  readonly results: (pipelineRunId: string) => Promise<readonly StepResult[]>;
  readonly kept: KeptFiles;
  readonly clock: Clock;
}

/** A job of a workflow: its conditions are asked here, its steps run in the isolation of every step of a user. */
export function createJobKind(options: JobKindOptions): StepKind<JobDeclaration> {
  return {
    name: JOB_KIND,
    load: "code",
    schema: declarationSchema,
    describe: ({ workflow_job: text }) => describeJob(unpinJob(text)),
    analyse: () => Promise.resolve({ inputs: [], makes: [], files: [], cacheable: false, problems: [] }),
    execute: (attempt) => execute(attempt, options),
  };
}

function describeJob({ file, job, content }: PinnedJob): string {
  const count = content.steps?.length ?? 0;
  return `${file}: ${content.name ?? job}, ${count} step${count === 1 ? "" : "s"}`;
}

// oxlint-disable-next-line complexity -- the cases of a job stand in the order in which they are asked
async function execute(attempt: AttemptContext<JobDeclaration>, options: JobKindOptions): Promise<StepOutcome> {
  const pinned = unpinJob(attempt.declaration.workflow_job);
  const results = await options.results(attempt.pipelineRunId);
  const facts = {
    results,
    isAlone: results.every(({ step }) => step === attempt.step),
    ...(pinned.leftOut === undefined ? {} : { leftOut: pinned.leftOut }),
  };
  const runNumber = await options.runNumber(attempt.pipelineRunId);
  const contexts = await readContexts(attempt, pinned, { ...facts, runNumber });
  const reason = skipReason(pinned, contexts, { ...facts, isCancelled: attempt.signal.aborted });
  if (reason !== undefined) return { status: "skipped", reason };
  if (pinned.cannot !== undefined) throw jobCannotRun({ job: pinned.job, reasons: pinned.cannot });
  const scope: ExpressionScope = { contexts: toContexts(contexts.own) };
  if (!pinned.isDynamic) {
    const combination = attempt.declaration.matrix ?? undefined;
    const own = results.find(({ id }) => id === attempt.stepRunId);
    const siblings = results.filter(({ step }) => step === attempt.step);
    const place = { combination, index: own?.matrixIndex ?? 0, total: Math.max(1, siblings.length) };
    return toOutcome(attempt, [await runCombination(attempt, options, { pinned, contexts, place, results })]);
  }
  const combinations = expandMatrix(interpolateAll(pinned.content.strategy?.matrix ?? null, scope), pinned.job);
  if (combinations.length === 0) return { status: "skipped", reason: "its matrix has no combination" };
  const failFast = evaluateFlag(pinned.content.strategy?.["fail-fast"], scope) ?? true;
  const ended: Ended[] = [];
  for (const [index, combination] of combinations.entries()) {
    if (attempt.signal.aborted) break;
    attempt.log(`\n━━ ${pinned.job} (${describeCombination(combination)}) ━━`);
    const place = { combination, index, total: combinations.length };
    const one = await runCombination(attempt, options, { pinned, contexts, place, results });
    ended.push(one);
    if (failFast && (one.outcome === "failure" || one.outcome === "cancelled") && !one.isTolerated) break;
  }
  return toOutcome(attempt, ended);
}

interface ReadContexts {
  readonly own: JobContexts;
  /** Of each call around the job, as its caller sees it. */
  readonly callers: readonly JobContexts[];
  readonly branch: string | undefined;
}

async function readContexts(
  attempt: AttemptContext<JobDeclaration>,
  pinned: PinnedJob,
  facts: JobFacts & { readonly runNumber: number },
): Promise<ReadContexts> {
  const commit = attempt.commit?.id ?? "0".repeat(40);
  const branch = await currentBranch(attempt.projectFolder);
  const told = eventOf(pinned, attempt.declaration, { branch, commit });
  let inputs = dispatchInputs(pinned, attempt.declaration.params, told);
  const github = githubContext(pinned, withInputs(told, inputs), {
    commit,
    actor: attempt.actor,
    pipelineRunId: attempt.pipelineRunId,
    attemptNumber: attempt.attemptNumber,
    runNumber: facts.runNumber,
    workspace: join(attempt.workFolder, "workspace"),
  });
  const callers: JobContexts[] = [];
  for (const call of pinned.calls) {
    const caller = { github, vars: pinned.vars, inputs, needs: needsContext(call.needs, facts) };
    callers.push(caller);
    inputs = callInputs(call, { contexts: { ...toContexts(caller), matrix: call.matrix ?? {} } });
  }
  return { own: { github, vars: pinned.vars, inputs, needs: needsContext(pinned.needs, facts) }, callers, branch };
}

/** Why a job has nothing to do; undefined when it has. */
function skipReason(
  pinned: PinnedJob,
  { own, callers }: ReadContexts,
  facts: JobFacts & { readonly isCancelled: boolean },
): string | undefined {
  for (const [index, call] of pinned.calls.entries()) {
    const scope = { contexts: toContexts(callers[index] ?? own), functions: statusFunctions(call.before, facts) };
    if (!holds(call.if ?? "", scope)) return `${call.job}: ${explain(call.if)}`;
  }
  // Jobs before the calls were asked with the calls.
  const inside = pinned.before.filter((step) => !pinned.calls.some((call) => call.before.includes(step)));
  const scope = { contexts: toContexts(own), functions: statusFunctions(inside, facts) };
  return holds(pinned.content.if ?? "", scope) ? undefined : explain(pinned.content.if);
}

function explain(condition: string | undefined): string {
  return condition === undefined ? "a job that it needs did not succeed" : `if is false: ${condition.trim()}`;
}

function toContexts({ github, needs, vars, inputs }: JobContexts): Record<string, Json> {
  return { github, needs, vars, inputs };
}

interface Place {
  readonly combination: Combination | undefined;
  readonly index: number;
  readonly total: number;
}

interface Ended {
  readonly outcome: JobResult["result"] | "skipped";
  readonly isTolerated: boolean;
  readonly reason: string;
  readonly place: Place;
  readonly result: JobResult | undefined;
  readonly artifacts: Readonly<Record<string, Json>>;
}

// oxlint-disable-next-line complexity -- one run, from its flags to its end
async function runCombination(
  attempt: AttemptContext<JobDeclaration>,
  options: JobKindOptions,
  facts: {
    readonly pinned: PinnedJob;
    readonly contexts: ReadContexts;
    readonly place: Place;
    readonly results: readonly StepResult[];
  },
): Promise<Ended> {
  const { pinned, contexts, place } = facts;
  const scope = scopeOf(contexts, place, pinned);
  const isTolerated = evaluateFlag(pinned.content["continue-on-error"], scope) ?? false;
  const label = otherSystemOf(pinned.content["runs-on"], scope);
  if (label !== undefined) {
    if (pinned.isStrict === true) throw otherSystem({ job: pinned.job, label });
    const reason = `it runs on ${label}: this machine runs Linux`;
    attempt.log(`Left out: ${reason}`);
    return { outcome: "skipped", isTolerated, reason, place, result: undefined, artifacts: {} };
  }
  const environment = environmentOf(pinned.content.environment, scope);
  if (environment !== undefined && options.isProtected?.(environment) === true)
    throw environmentGuarded({ job: pinned.job, environment });
  const failFast = evaluateFlag(pinned.content.strategy?.["fail-fast"], scope) ?? true;
  const watch = pinned.isDynamic || !failFast || place.total < 2 ? undefined : watchSiblings(attempt, options);
  try {
    const failed = await watch?.look();
    if (failed !== undefined)
      return { outcome: "cancelled", isTolerated, reason: failed, place, result: undefined, artifacts: {} };
    const plan = await writePlan(attempt, options, facts);
    const ended = await attempt.runProcess({
      command: [
        process.execPath,
        fileURLToPath(entryFile("job-runner", import.meta.url)),
        join(plan.folder, "plan.json"),
      ],
      workingFolder: plan.folder,
      readable: [
        ...ownFolders(),
        ...toolFolders(options.searchPath),
        attempt.projectFolder,
        ...Object.values(plan.plan.artifacts),
        ...plan.plan.caches,
        ...(pinned.mirror === undefined ? [] : [pinned.mirror]),
      ],
      gracePeriodMs: GRACE_MS,
      ...(watch === undefined ? {} : { signal: watch.signal }),
    });
    await assertUnmoved(plan.folder, plan.real, pinned.job);
    const result = await readResult(plan.plan.result, pinned.job, {
      ended,
      stopped: watch?.reason() ?? (attempt.signal.aborted ? "it was ended from outside" : undefined),
    });
    const artifacts = await keepFiles(options, plan.plan, result, contexts);
    const tolerated = isTolerated && result.result === "failure";
    return {
      outcome: tolerated ? "success" : result.result,
      isTolerated,
      reason: tolerated ? `it failed, and continue-on-error lets the run go on: ${result.reason}` : result.reason,
      place,
      result,
      artifacts,
    };
  } finally {
    watch?.end();
  }
}

function scopeOf({ own }: ReadContexts, place: Place, pinned: PinnedJob): ExpressionScope {
  return { contexts: { ...toContexts(own), matrix: place.combination ?? {}, strategy: strategyOf(place, pinned) } };
}

function strategyOf({ index, total }: Place, { content }: PinnedJob): Readonly<Record<string, Json>> {
  return {
    "job-index": index,
    "job-total": total,
    "fail-fast": content.strategy?.["fail-fast"] !== "false",
    "max-parallel": Number(content.strategy?.["max-parallel"] ?? total) || total,
  };
}

/** Ends a combination when another of its job fails. */
function watchSiblings(attempt: AttemptContext<JobDeclaration>, options: JobKindOptions) {
  const controller = new AbortController();
  let reason: string | undefined;
  const look = async (): Promise<string | undefined> => {
    const failed = (await options.results(attempt.pipelineRunId)).find(
      (one) => one.step === attempt.step && one.id !== attempt.stepRunId && one.status === "failed",
    );
    return failed === undefined ? undefined : `combination ${failed.matrixIndex + 1} of the matrix failed`;
  };
  const timer = setInterval(() => {
    void look().then(
      (found) => {
        if (found === undefined) return;
        reason ??= found;
        controller.abort();
      },
      // The store is asked again soon.
      () => {},
    );
  }, LOOK_MS);
  return { signal: controller.signal, look, reason: () => reason, end: () => clearInterval(timer) };
}

async function writePlan(
  attempt: AttemptContext<JobDeclaration>,
  options: JobKindOptions,
  facts: {
    readonly pinned: PinnedJob;
    readonly contexts: ReadContexts;
    readonly place: Place;
    readonly results: readonly StepResult[];
  },
): Promise<{ readonly folder: string; readonly real: string; readonly plan: JobPlan }> {
  const { pinned, contexts, place, results } = facts;
  const folder = pinned.isDynamic ? join(attempt.workFolder, `combination-${place.index + 1}`) : attempt.workFolder;
  const below = (name: string): string => join(folder, name);
  const folders = {
    workspace: below("workspace"),
    temporary: below("temporary"),
    tools: below("tools"),
    artifacts: below("artifacts"),
    caches: below("caches"),
  };
  const real = join(await realpath(attempt.workFolder), folder.slice(attempt.workFolder.length));
  // Steps of an earlier combination could write here.
  if (pinned.isDynamic)
    await mkdir(folder).catch((error: unknown) => {
      throw folderMoved({ job: pinned.job, folder: basename(folder) }, error);
    });
  await Promise.all(Object.values(folders).map((path) => mkdir(path, { recursive: true })));
  await assertUnmoved(folder, real, pinned.job);
  const scope = scopeOf(contexts, place, pinned);
  const { github } = contexts.own;
  const title = pinned.content.name === undefined ? pinned.job : interpolateText(pinned.content.name, scope);
  const plan: JobPlan = {
    format: "job-plan/1",
    file: pinned.file,
    job: pinned.job,
    title: place.combination === undefined ? title : `${title} (${describeCombination(place.combination)})`,
    content: pinned.content,
    env: pinned.env,
    defaults: pinned.defaults,
    lines: pinned.lines,
    contexts: {
      github: { ...github, workspace: folders.workspace },
      needs: contexts.own.needs,
      vars: contexts.own.vars,
      inputs: contexts.own.inputs,
      matrix: place.combination ?? {},
      strategy: strategyOf(place, pinned),
    },
    secrets: pinned.secrets,
    secretMaps: pinned.calls.map(({ secrets }) => secrets),
    timeoutMs: (evaluateNumber(pinned.content["timeout-minutes"], scope) ?? LONGEST_JOB_MINUTES) * MINUTE_MS,
    source: {
      folder: attempt.projectFolder,
      ...(attempt.commit === undefined ? {} : { commit: attempt.commit.id }),
      ...(contexts.branch === undefined ? {} : { branch: contexts.branch }),
    },
    ...(pinned.mirror === undefined ? {} : { mirror: pinned.mirror }),
    folders,
    artifacts: await artifactsBefore(pinned, results, options.kept),
    caches: cacheScopes(github, pinned).map((one) => options.kept.cacheFolder(one)),
    result: below("result.json"),
  };
  await writeFile(join(folder, "plan.json"), JSON.stringify(plan));
  return { folder, real, plan };
}

/** Folders that the engine reads from or writes to, beside the user's: a link in the place of one leads anywhere. */
async function assertUnmoved(folder: string, real: string, job: string): Promise<void> {
  for (const name of [".", "artifacts", "caches"]) {
    const found = await realpath(join(folder, name)).catch(() => undefined);
    if (found !== join(real, name).replace(/\/\.?$/, "")) throw folderMoved({ job, folder: name });
  }
}

/** A branch reads its own caches first, then those of the branch that it goes to, then those of the main one. */
function cacheScopes(github: Readonly<Record<string, Json>>, { defaultBranch }: PinnedJob): readonly string[] {
  const base = github["base_ref"];
  return [
    ...new Set([
      asText(github["ref"]),
      ...(typeof base === "string" && base !== "" ? [`refs/heads/${base}`] : []),
      `refs/heads/${defaultBranch}`,
    ]),
  ];
}

async function artifactsBefore(
  pinned: PinnedJob,
  results: readonly StepResult[],
  kept: KeptFiles,
): Promise<Readonly<Record<string, string>>> {
  const before = new Set([...pinned.before, ...pinned.calls.flatMap((call) => call.before)]);
  const found: Record<string, string> = {};
  for (const { step, facts } of results) {
    if (!before.has(step)) continue;
    const artifacts = membersOf(membersOf(facts)["artifacts"]);
    for (const [name, artifact] of Object.entries(artifacts)) {
      const path = await kept.artifactPath(asText(membersOf(artifact)["digest"]));
      if (path !== undefined) found[name] = path;
    }
  }
  return found;
}

/** The runner left it in a folder that the steps could write: it is read as anything from outside. */
async function readResult(
  path: string,
  job: string,
  facts: {
    readonly ended: {
      readonly exitCode: number | undefined;
      readonly signal: string | undefined;
      readonly tail?: string;
    };
    readonly stopped: string | undefined;
  },
): Promise<JobResult> {
  try {
    const found = await lstat(path);
    if (!found.isFile() || found.size > LARGEST_RESULT_BYTES) throw new Error("its file is none that the runner wrote");
    return jobResultSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    const { exitCode, signal } = facts.ended;
    if (facts.stopped !== undefined) throw jobCancelled({ job, reason: facts.stopped }, error);
    const ending = signal === undefined ? `exit ${String(exitCode)}` : `signal ${signal}`;
    throw resultUnreadable({ job, reason: `it ended with ${ending}; ${messageOf(error)}` }, error);
  }
}

async function keepFiles(
  options: JobKindOptions,
  plan: JobPlan,
  result: JobResult,
  contexts: ReadContexts,
): Promise<Readonly<Record<string, Json>>> {
  const artifacts: Record<string, Json> = {};
  for (const [index, { name, files }] of result.artifacts.entries())
    artifacts[name] = {
      ...(await options.kept.keepArtifact(join(plan.folders.artifacts, `${index}.tar.gz`))),
      files,
    };
  const scope = asText(contexts.own.github["ref"]);
  for (const [index, cache] of result.caches.entries())
    await options.kept.keepCache({
      ...cache,
      scope,
      path: join(plan.folders.caches, `${index}.tar.gz`),
      atMs: options.clock.now(),
    });
  if (result.artifacts.length + result.caches.length > 0) await options.kept.trim(options.clock.now());
  return artifacts;
}

/** Without what is not there. */
function plain(value: object): Json {
  return JSON.parse(JSON.stringify(value));
}

/** What is shown with the step run, and read by the jobs behind it. */
function toOutcome(attempt: AttemptContext<JobDeclaration>, ended: readonly Ended[]): StepOutcome {
  const [first] = ended;
  if (first !== undefined && ended.every((one) => one.outcome === "skipped"))
    return { status: "skipped", reason: first.reason };
  const outcome =
    (["failure", "cancelled"] as const).find((one) => ended.some((other) => other.outcome === one)) ?? "success";
  const facts: Record<string, Json> = {
    result: outcome,
    outputs: Object.assign({}, ...ended.map(({ result }) => result?.outputs ?? {})),
    steps: ended.flatMap(({ result, place }) =>
      (result?.steps ?? []).map((step) => ({
        ...step,
        durationMs: Math.round(step.durationMs),
        ...(ended.length > 1 && place.combination !== undefined
          ? { combination: describeCombination(place.combination) }
          : {}),
      })),
    ),
    annotations: ended.flatMap(({ result }) => (result?.annotations ?? []).map(plain)),
    artifacts: Object.assign({}, ...ended.map(({ artifacts }) => artifacts)),
  };
  const summary = ended.map(({ result }) => result?.summary ?? "").join("");
  if (summary !== "") facts["summary"] = summary.slice(0, MOST_FACT_TEXT);
  const coverage = ended.find(({ result }) => result?.coverage !== undefined)?.result?.coverage;
  if (coverage !== undefined) facts["coverage"] = coverage;
  const told = ended.find((one) => one.outcome === outcome);
  const tolerated = ended.find((one) => one.isTolerated && one.reason !== "");
  if (outcome === "success") {
    if (tolerated !== undefined) facts["tolerated"] = tolerated.reason;
    return { status: "succeeded", made: [], facts };
  }
  const reason = told?.reason ?? "";
  return {
    status: "failed",
    error:
      outcome === "failure" ? jobFailed({ job: attempt.step, reason }) : jobCancelled({ job: attempt.step, reason }),
    facts,
  };
}

/** Branch of a work tree; undefined for a commit alone, and for what is under no git. */
async function currentBranch(folder: string): Promise<string | undefined> {
  const head = await readFile(join(folder, ".git", "HEAD"), "utf8").catch(() => "");
  return /^ref: refs\/heads\/(.+)$/m.exec(head)?.[1];
}

function ownFolders(): readonly string[] {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  return [...OWN_FILES.map((name) => join(root, name)), dirname(process.execPath)];
}
