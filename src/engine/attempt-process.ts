import type { AttemptContext, PreparedStep } from "#pipeline";
import {
  type IsolationDemand,
  type IsolationLevel,
  isAtLeast,
  type ProcessLimits,
  type ProcessResult,
  type ProcessSpec,
  previewOf,
  type StepDefinition,
  SHORTEST_SECRET,
} from "#pipeline";
import type { RunningAttempt } from "./attempt.ts";
import type { EngineParts } from "./engine-parts.ts";
import { limitExceeded, secretMissing, secretTooShort, stepFailed } from "./errors.ts";
import type { Executor } from "./executor.ts";
import { assertRoom, executorOf } from "./place.ts";
import type { TrackingRun } from "./ports.ts";
import { type Placed, writePlaced } from "./takeover.ts";

const TAIL_LENGTH = 1000;

/** What the processes of one attempt have in common. */
interface Processes {
  readonly definition: StepDefinition;
  readonly prepared: PreparedStep;
  readonly secrets: Readonly<Record<string, string>>;
  readonly pipeline: string;
  readonly step: string;
  readonly pipelineRunId: string;
  readonly attemptId: string;
  readonly index: string | undefined;
  readonly tracking: { readonly values: TrackingRun | undefined };
  /** Gets the level of each process that was started. */
  readonly levels: IsolationLevel[];
  /** What each must see of the machine by now. */
  readonly readable: () => readonly string[];
  /** What another engine started of the attempt. */
  readonly placed: Placed | undefined;
  /** What another engine would have to know. */
  readonly begin: () => Omit<Placed, "format" | "before">;
}

/** Runs processes of an attempt where its step says, with its variables, secrets, limits and isolation. */
export function createProcessRunner(
  parts: EngineParts,
  running: RunningAttempt,
  of: Processes,
): AttemptContext<unknown>["runProcess"] {
  const { claimed } = running;
  const { definition: step, secrets } = of;
  const { variables, files } = divide(secrets, step.secretFiles);
  const platformOf = (own: string, { platformUrl: url }: Executor): ReturnType<typeof platformEnvironment> =>
    platformEnvironment(parts, { ...of, token: own, url }, of.tracking.values);
  let processes = 0;
  let token: Promise<string> | undefined;
  return async (spec) => {
    const executor = executorOf(parts, step, of.prepared.known.kind);
    await assertRoom(parts, { step: step.name, resources: step.resources, executor });
    const attemptId = `${claimed.attemptId}.${++processes}`;
    const isOutside = previewOf(claimed.trigger)?.isOutside === true;
    // A process that runs already has its own.
    token ??=
      running.takenOver === undefined && !isOutside
        ? parts.ports.attemptToken({ attemptId: claimed.attemptId, token: claimed.token })
        : Promise.resolve("");
    const own = await token;
    const logged = await place(parts, running, executor, of);
    const result = await runProcess(parts, running, executor, {
      ...logged,
      ...(executor.capabilities.remote && step.timeoutMs !== undefined ? { timeoutMs: step.timeoutMs } : {}),
      ...spec,
      ...confine(
        step,
        spec.isolation,
        isOutside ? OUTSIDE : (parts.ports.isolationOf?.(running.definition, step.name) ?? {}),
      ),
      ...askedOf(step, parts.ports.limits),
      readable: [...of.readable(), ...(spec.readable ?? [])],
      attemptId,
      environment: {
        ...of.prepared.env,
        ...variables,
        ...(isOutside ? {} : await platformOf(own, executor)),
        ...spec.environment,
      },
      ...(files === undefined ? {} : { secretFiles: { ...spec.secretFiles, ...files } }),
      secrets: [...Object.values(secrets), ...(own === "" ? [] : [own]), ...(spec.secrets ?? [])],
    });
    of.levels.push(result.isolation);
    return assertTaken(step, result);
  };
}

function divide(
  secrets: Readonly<Record<string, string>>,
  asFiles: readonly string[] = [],
): {
  readonly variables: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>> | undefined;
} {
  const pick = (isFile: boolean): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(secrets).filter(([name]) => asFiles.includes(name) === isFile));
  const files = pick(true);
  return { variables: pick(false), files: Object.keys(files).length === 0 ? undefined : files };
}

/** Gives up its place here for a process that runs elsewhere, and keeps what another engine would need. */
async function place(
  parts: EngineParts,
  running: RunningAttempt,
  executor: Executor,
  { placed, begin }: Processes,
): Promise<Pick<ProcessSpec, "logged">> {
  const before = running.log.measure();
  running.log.unmute();
  if (!executor.capabilities.remote) return {};
  running.park(executor);
  if (executor.outliving === undefined) return {};
  const { takenOver, claimed } = running;
  if (placed === undefined || takenOver === undefined) {
    await writePlaced(parts, claimed.attemptId, { format: "placed/1", ...begin(), before });
    return {};
  }
  const of = (stream: "stdout" | "stderr"): number => Math.max(0, takenOver.kept[stream] - placed.before[stream]);
  return { logged: { stdout: of("stdout"), stderr: of("stderr") } };
}

/** What a step asks for it may have, and no more of memory unless its limits say so. */
function askedOf(
  { resources, limits }: StepDefinition,
  projectLimits: ProcessLimits | undefined,
): Pick<ProcessSpec, "resources" | "limits"> {
  const memoryBytes = resources?.memoryBytes;
  return {
    ...(resources === undefined ? {} : { resources }),
    limits: { ...projectLimits, ...(memoryBytes === undefined ? {} : { memoryBytes }), ...limits },
  };
}

function assertTaken(step: StepDefinition, result: ProcessResult): ProcessResult {
  if (result.outputsProblem !== undefined) throw result.outputsProblem;
  if (result.exceeded !== undefined) throw limitExceeded({ step: step.name, ...result.exceeded });
  return result;
}

/** How far its processes are kept from everything else. */
function confine(
  step: StepDefinition,
  asked: IsolationDemand | undefined,
  demanded: IsolationDemand,
): Pick<ProcessSpec, "isolation" | "network"> {
  const { network, requiredBy } = reachOf(step, demanded);
  const own: IsolationDemand = network !== undefined ? { atLeast: "sandbox", requiredBy } : { atLeast: step.isolation };
  return { isolation: strictest({ ...own, ...asked }, demanded), network };
}

/** What it reaches, and what says so. Without a sandbox, nothing could cut the network. */
function reachOf(
  { network }: StepDefinition,
  demanded: IsolationDemand,
): Pick<ProcessSpec, "network"> & { readonly requiredBy?: string } {
  if (demanded === OUTSIDE) return { network: false };
  if (network === false) return { network, requiredBy: "network: false" };
  if (network !== undefined) return { network, requiredBy: `network: ${network.join(", ") || "platform"}` };
  if (demanded.network !== "platform" || demanded.exempt === true) return { network };
  return { network: [], requiredBy: "isolation.network in esteira.yaml" };
}

/** Both hold: an exemption counts only where nothing is required. */
function strictest(one: IsolationDemand, other: IsolationDemand): IsolationDemand {
  const stricter = isAtLeast(one.atLeast ?? "none", other.atLeast ?? "none") ? one : other;
  return { ...stricter, exempt: one.exempt === true || other.exempt === true };
}

/** Code of strangers: it reaches neither the platform nor the network, whatever the project says of its steps. */
const OUTSIDE: IsolationDemand = { atLeast: "sandbox", requiredBy: "a pull request from another repository" };

/** None for code of strangers. @throws PIPELINE_SECRET_MISSING, PIPELINE_SECRET_TOO_SHORT */
export async function resolveSecrets(
  parts: EngineParts,
  step: StepDefinition,
  { isOutside, log }: { readonly isOutside: boolean; readonly log: (text: string) => void },
): Promise<Readonly<Record<string, string>>> {
  const secrets: Record<string, string> = {};
  if (isOutside) {
    if (step.secrets.length > 0)
      log(`A pull request from another repository gets no secrets: ${step.secrets.join(", ")}\n`);
    return secrets;
  }
  for (const name of step.secrets) {
    const value = await parts.ports.resolveSecret(name);
    if (value === undefined) throw secretMissing({ step: step.name, secret: name });
    if (value.length < SHORTEST_SECRET) throw secretTooShort({ step: step.name, secret: name });
    secrets[name] = value;
  }
  return secrets;
}

async function platformEnvironment(
  parts: EngineParts,
  facts: {
    readonly pipeline: string;
    readonly step: string;
    readonly pipelineRunId: string;
    readonly token: string;
    readonly index: string | undefined;
    readonly url: string | undefined;
  },
  tracking: TrackingRun | undefined,
): Promise<Readonly<Record<string, string>>> {
  const url = facts.url ?? (await parts.ports.platformUrl());
  return {
    ESTEIRA_URL: url,
    ESTEIRA_PROJECT: parts.project,
    ESTEIRA_PIPELINE: facts.pipeline,
    ESTEIRA_STEP: facts.step,
    ESTEIRA_PIPELINE_RUN: facts.pipelineRunId,
    ESTEIRA_TOKEN: facts.token,
    ...(facts.index === undefined ? {} : { ESTEIRA_ITEM_INDEX: facts.index }),
    MLFLOW_TRACKING_URI: url,
    MLFLOW_TRACKING_TOKEN: facts.token,
    ...(tracking === undefined ? {} : { MLFLOW_RUN_ID: tracking.runId, MLFLOW_EXPERIMENT_ID: tracking.experimentId }),
  };
}

async function runProcess(
  parts: EngineParts,
  running: RunningAttempt,
  executor: Executor,
  { signal: ownSignal, ...spec }: ProcessSpec & { readonly signal?: AbortSignal },
): Promise<ProcessResult> {
  const { signal, log, claimed } = running;
  if (signal.aborted) throw stepFailed({ step: claimed.step, reason: "it was ended before its process started" });
  let tail = "";
  const handle = await executor.submit({ ...spec, abandon: signal }, (stream, text) => {
    tail = (tail + text).slice(-TAIL_LENGTH);
    return log.write(stream, text);
  });
  const cancel = (): void => {
    if (running.isLeft()) handle.leave?.();
    else parts.later(handle.cancel());
  };
  signal.addEventListener("abort", cancel, { once: true });
  ownSignal?.addEventListener("abort", cancel, { once: true });
  // The signal may have come while the process was being started.
  if (signal.aborted || ownSignal?.aborted === true) cancel();
  try {
    const result = await handle.ended;
    if (result.endedBy === "timeout" && executor.capabilities.remote) {
      running.timeOut();
      throw stepFailed({ step: claimed.step, reason: "it reached its timeout" });
    }
    return { ...result, tail };
  } finally {
    signal.removeEventListener("abort", cancel);
    ownSignal?.removeEventListener("abort", cancel);
  }
}
