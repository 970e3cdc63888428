import { join } from "node:path";
import { newId } from "#base";
import { appendEvent } from "#metadata-store";
import { type ClaimedStepRun, getPipelineDefinition, readAsClaimed } from "#metadata-store/engine";
import {
  type AttemptContext,
  findStep,
  type PipelineDefinition,
  type ProcessResult,
  type ProcessSpec,
  type StepDefinition,
  stepUnknown,
} from "#pipeline";
import { createContext, lookAtStep, openWorkspace, type RunningAttempt } from "./attempt.ts";
import type { EngineParts } from "./engine-parts.ts";
import { debugImpossible, runUnknown } from "./errors.ts";
import { executorOf } from "./place.ts";
import { buildScope } from "./scope.ts";
import { makeHeldWorkFolder, removeWorkFolder, sweepWorkFolders } from "./work-folder.ts";

/** Somebody who wants to look at a step from within. */
export interface DebugRequest {
  readonly stepRunId: string;
  readonly actor: string;
  /** Default: a shell. */
  readonly command: readonly [string, ...string[]] | undefined;
  /** Added to the variables that the step has. */
  readonly environment: Readonly<Record<string, string>>;
  readonly isInteractive: boolean;
  /** Ends the command. */
  readonly signal: AbortSignal;
  /** What is said while the workspace is made: packages that are installed. */
  readonly log: (text: string) => void;
}

/** A workspace that was made for somebody. */
export interface DebugPlace {
  readonly pipeline: string;
  readonly step: string;
  /** Absolute: the copy of the project's files. */
  readonly folder: string;
  /** Absolute: what it is a copy of. */
  readonly projectFolder: string;
  /** Project-relative paths that the step makes itself. */
  readonly made: readonly string[];
  /** The files are those of a pushed commit, and not those of the project. */
  readonly isPushed: boolean;
  /** What the step would run. */
  readonly command: ProcessSpec["command"];
  readonly secrets: readonly string[];
  /** The executor that the step runs on, where that is another machine. */
  readonly elsewhere: string | undefined;
}

/**
 * Makes the workspace of a step run again: the project's files as they are now, the inputs, variables, secrets and
 * isolation that its next attempt would have. In place of the step's process runs a shell, or a command; nothing of it
 * is recorded but that it was opened.
 *
 * @param work is given the place and what runs the command, before the workspace is removed
 * @throws PIPELINE_RUN_UNKNOWN, PIPELINE_DEBUG_IMPOSSIBLE, PIPELINE_INPUT_MISSING, PIPELINE_SECRET_MISSING; what a
 *   start throws
 */
export async function debugStep<Value>(
  engine: EngineParts,
  request: DebugRequest,
  work: (place: DebugPlace, run: () => Promise<ProcessResult>) => Promise<Value>,
): Promise<Value> {
  const parts = onThisMachine(engine);
  const attemptId = newId();
  const claimed = await parts.store.read((transaction) =>
    readAsClaimed(transaction, { stepRunId: request.stepRunId, project: parts.project, attemptId }),
  );
  if (claimed === undefined) throw runUnknown({ id: request.stepRunId });
  const definition = await definitionFor(parts, claimed);
  const declared = findStep(definition, claimed.step);
  if (declared === undefined)
    throw stepUnknown({
      pipeline: definition.name,
      step: claimed.step,
      steps: definition.steps.map(({ name }) => name),
    });
  assertOpenable(parts, declared, claimed);
  await sweepWorkFolders(parts);
  const workFolder = await makeHeldWorkFolder(parts, attemptId);
  const ending = new AbortController();
  try {
    const running = toRunning(claimed, definition, { signal: ending.signal, log: request.log });
    const { executor: _anywhere, ...here } = declared;
    const opened = await openContext(parts, running, { step: here, workFolder });
    const place = {
      pipeline: claimed.pipeline,
      step: claimed.step,
      folder: opened.folder,
      projectFolder: opened.projectFolder,
      made: opened.made,
      isPushed: claimed.source !== undefined,
      secrets: opened.context.isOutside === true ? [] : declared.secrets,
      elsewhere: elsewhereOf(engine, declared, opened.kind),
    };
    const { spec, settled } = await untilFirstProcess(opened.context, opened.execute);
    const { pipeline, step, pipelineRunId, stepRunId } = claimed;
    const run = async (): Promise<ProcessResult> => {
      const command = request.command?.join(" ") ?? null;
      await parts.store.write((transaction) =>
        appendEvent(transaction, {
          atMs: parts.clock.now(),
          project: parts.project,
          type: "step_run.debugged",
          subjectKind: "step_run",
          subject: stepRunId,
          actor: request.actor,
          data: { pipeline, step, pipelineRunId, command, secrets: [...place.secrets] },
        }),
      );
      return opened.context.runProcess(toShell(spec, request, workFolder));
    };
    try {
      return await work({ ...place, command: spec.command }, run);
    } finally {
      ending.abort("cancel");
      await settled;
    }
  } finally {
    await removeWorkFolder(parts, attemptId);
  }
}

/** Its processes run here, and have no token: that of an attempt is only given to one that is current. */
function onThisMachine(parts: EngineParts): EngineParts {
  const [local] = parts.executors;
  const ports = { ...parts.ports, defaultExecutor: undefined, attemptToken: () => Promise.resolve("") };
  return { ...parts, executors: [local], ports };
}

/** As a retry finds it: of a pushed commit its own, else the one that is there now. */
async function definitionFor(parts: EngineParts, claimed: ClaimedStepRun): Promise<PipelineDefinition> {
  const { project, pipeline, definitionDigest } = claimed;
  if (claimed.source !== undefined) return parts.definitionOf(definitionDigest);
  const current = await parts.store.read((transaction) => getPipelineDefinition(transaction, { project, pipeline }));
  const now = current === undefined ? undefined : await parts.definitionOf(current.digest);
  return now !== undefined && findStep(now, claimed.step) !== undefined ? now : parts.definitionOf(definitionDigest);
}

function assertOpenable(parts: EngineParts, step: StepDefinition, claimed: ClaimedStepRun): void {
  if (step.forEach !== undefined && claimed.matrix === undefined)
    throw debugImpossible({
      step: step.name,
      reason: "this step run only listed its items",
      hint: "Name an item: --item ITEM.",
    });
  if (parts.kinds.get(step.kind)?.kind.workspace !== undefined && parts.ports.createWorkspace !== undefined) return;
  throw debugImpossible({
    step: step.name,
    reason: `a step of kind "${step.kind}" starts no process of yours`,
    hint: `What it does and said: esteira logs ${claimed.pipelineRunId} ${step.name}`,
  });
}

function elsewhereOf(
  engine: EngineParts,
  step: StepDefinition,
  kind: Parameters<typeof executorOf>[2],
): string | undefined {
  const executor = executorOf(engine, step, kind);
  return executor.capabilities.remote ? executor.name : undefined;
}

function toRunning(
  claimed: ClaimedStepRun,
  definition: PipelineDefinition,
  { signal, log }: Pick<DebugRequest, "signal" | "log">,
): RunningAttempt {
  return {
    claimed,
    definition,
    signal,
    log: { write: (_, text) => log(text), measure: () => ({ stdout: 0, stderr: 0 }), unmute: () => undefined },
    park: () => undefined,
    isParked: () => false,
    timeOut: () => undefined,
    isLeft: () => false,
  };
}

async function openContext(
  parts: EngineParts,
  running: RunningAttempt,
  { step, workFolder }: { readonly step: StepDefinition; readonly workFolder: string },
): Promise<{
  readonly folder: string;
  readonly projectFolder: string;
  readonly context: AttemptContext<unknown>;
  readonly kind: Parameters<typeof executorOf>[2];
  readonly made: readonly string[];
  readonly execute: (context: AttemptContext<unknown>) => Promise<unknown>;
}> {
  const scope = await buildScope(parts, running, step);
  const looked = await lookAtStep(parts, running, { step, scope, placed: undefined });
  const execution = { ...looked, step, reason: "", placed: undefined };
  const workspace = await openWorkspace(parts, execution, workFolder);
  if (workspace === undefined) throw new Error(`the kind of step ${step.name} has no workspace`);
  const { prepared } = workspace.ran;
  const context = await createContext(parts, running, {
    ...execution,
    levels: [],
    prepared,
    recipe: looked.key.recipeDigest,
    workFolder,
    workspace,
    tracking: { run: undefined, values: undefined },
  });
  return {
    folder: workspace.folder,
    projectFolder: looked.projectFolder,
    kind: prepared.known.kind,
    made: prepared.known.kind.workspace?.(prepared.declaration as never) ?? [],
    // No run of MLflow's, and no progress of a step run that has ended.
    context: { ...context, trackingRun: () => Promise.resolve({ runId: "", experimentId: "" }), progress: () => {} },
    execute: (inContext) => prepared.known.kind.execute(inContext as never),
  };
}

type Spec = Parameters<AttemptContext<unknown>["runProcess"]>[0];

/**
 * Lets the kind go as far as its first process, with whatever it writes and installs before it. It waits there until it
 * is told that it was ended.
 */
async function untilFirstProcess(
  context: AttemptContext<unknown>,
  execute: (context: AttemptContext<unknown>) => Promise<unknown>,
): Promise<{ readonly spec: Spec; readonly settled: Promise<unknown> }> {
  const found = Promise.withResolvers<Spec>();
  const ended = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new Error("the debugged step was ended"));
    context.signal.addEventListener("abort", stop, { once: true });
  });
  ended.catch(() => undefined);
  const settled = execute({
    ...context,
    runProcess: (spec) => {
      found.resolve(spec);
      return ended;
    },
  }).then(
    () =>
      found.reject(
        debugImpossible({
          step: context.step,
          reason: "with the files as they are now, it starts no process",
          hint: "Retry it: esteira retry RUN.",
        }),
      ),
    (error: unknown) => found.reject(error),
  );
  return { spec: await found.promise, settled };
}

/** What the step would have run, as a shell reads it. */
function lineOf(command: ProcessSpec["command"]): string {
  if ("shell" in command) return command.shell;
  const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return command.map(quote).join(" ");
}

/** bash where there is one. The step's own interpreter comes first in the PATH. */
const SHELL = `[ -z "$0" ] || export PATH="$0:$PATH"
[ $# -eq 0 ] || exec "$@"
command -v bash >/dev/null && exec bash --noprofile --norc -i
exec sh -i`;

function toShell(
  spec: Spec,
  { command = [], ...request }: Omit<DebugRequest, "command"> & { readonly command?: readonly string[] | undefined },
  workFolder: string,
): Spec {
  const program = "shell" in spec.command ? "" : spec.command[0];
  const folder = program.startsWith("/") ? program.slice(0, program.lastIndexOf("/")) : "";
  const { outputFile: _file, takes: _takes, onOutput: _onOutput, signal: _signal, timeoutMs: _timeout, ...kept } = spec;
  return {
    ...kept,
    command: ["/bin/sh", "-c", SHELL, folder, ...command],
    signal: request.signal,
    terminal: { isInteractive: request.isInteractive },
    environment: {
      ...spec.environment,
      // What it logs stays in its workspace: no attempt is there whose run it could be.
      MLFLOW_TRACKING_URI: join(workFolder, "mlruns"),
      ESTEIRA_COMMAND: lineOf(spec.command),
      ...request.environment,
    },
  };
}
