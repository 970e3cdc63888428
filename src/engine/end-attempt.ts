import { type EsteiraError, isEsteiraError, messageOf, newId } from "#base";
import { recordAssetVersion, type WriteTransaction } from "#metadata-store";
import {
  appendLogChunks,
  type ClaimedStepRun,
  claimStepRuns,
  databaseNow,
  endAttempt,
  expandItems,
  getGate,
  type HeldAttempt,
  holdAttempt,
  isStopped,
  type LogChunk,
  putCacheEntry,
  putStepInputs,
  putStepOutputs,
  putStepResult,
} from "#metadata-store/engine";
import { type IsolationLevel, type MadeVersion, previewOf, projectOfPreview, type StepDefinition } from "#pipeline";
import { stepFailed, stepTimedOut, workerLost } from "./errors.ts";
import { fireTrigger } from "./trigger.ts";
import type { AttemptResult } from "./attempt.ts";
import type { EngineParts } from "./engine-parts.ts";
import { retryDelay } from "./retry.ts";

/** Why an engine ended an attempt from outside. `leave`: what runs goes on, for another engine. */
export type AbortCause = "cancel" | "timeout" | "interrupt" | "lease" | "leave";

/**
 * An engine may be lost this often under one step run before that fails: far beyond bad luck, for steps that bring down
 * their machine.
 */
export const LOST_BUDGET = 50;

export interface AttemptEnding {
  readonly claimed: ClaimedStepRun;
  readonly step: StepDefinition | undefined;
  readonly result: AttemptResult;
  readonly logs: readonly LogChunk[];
  /** Take the next step run in the same transaction. */
  readonly claimNext: { readonly pipelineRunId: string | undefined } | undefined;
  /** Told what was claimed before that is committed: should nobody hear of the commit, it may be held all the same. */
  readonly onClaim?: (claimed: readonly ClaimedStepRun[]) => void;
}

/**
 * Writes the end of an attempt in one transaction: token, log, versions, triggers, slots, dependents, events, and the
 * claim of what comes next. A token that is no longer current changes nothing.
 */
export async function writeEnd(parts: EngineParts, ending: AttemptEnding): Promise<readonly ClaimedStepRun[]> {
  const { claimed } = ending;
  return parts.store.write(async (transaction) => {
    const { attemptId, token, pipelineRunId } = claimed;
    const held = await holdAttempt(transaction, { attemptId, token, pipelineRunId });
    if (held === undefined) {
      parts.log.warn("the result of an attempt was refused: its lease had ended", {
        step: claimed.step,
        attemptId: claimed.attemptId,
      });
      return [];
    }
    await appendLogChunks(transaction, ending.logs);
    const atMs = parts.clock.now();
    await writeResult(parts, transaction, { held, ending, atMs });
    if (ending.claimNext === undefined) return [];
    const next = await claimStepRuns(transaction, {
      project: parts.project,
      owner: parts.id,
      limit: 1,
      leaseMs: parts.leaseMs,
      atMs,
      pipelineRunId: ending.claimNext.pipelineRunId,
    });
    ending.onClaim?.(next);
    return next;
  });
}

interface Writing {
  readonly held: HeldAttempt;
  readonly ending: AttemptEnding;
  readonly atMs: number;
}

async function writeResult(parts: EngineParts, transaction: WriteTransaction, writing: Writing): Promise<void> {
  const { held, ending, atMs } = writing;
  const { result } = ending;
  switch (result.type) {
    case "skipped":
      return endAttempt(transaction, held, {
        attempt: "succeeded",
        stepRun: "skipped",
        end: "skipped",
        reason: result.reason,
        atMs,
      });
    case "listed": {
      const items = result.items.map((item) => ({ id: newId(atMs), matrix: { item } }));
      await expandItems(transaction, held, items, atMs);
      return endAttempt(transaction, held, {
        attempt: "succeeded",
        stepRun: "succeeded",
        end: "succeeded",
        reason: `it listed ${items.length} ${items.length === 1 ? "item" : "items"}`,
        atMs,
      });
    }
    case "cached": {
      const isFirst = held.attempt.number === 1;
      await putStepResult(transaction, { stepRunId: held.stepRun.id, outputs: result.results, isFirst });
      await putStepInputs(transaction, {
        stepRunId: held.stepRun.id,
        isFirst,
        inputs: result.inputs.map(({ asset, role, version }) => ({ asset, role, versionId: version.id })),
      });
      await putStepOutputs(transaction, {
        stepRunId: held.stepRun.id,
        isFirst,
        outputs: result.outputs.map((output) => ({ ...output, created: false })),
      });
      return endAttempt(transaction, held, {
        attempt: "succeeded",
        stepRun: "succeeded",
        cached: true,
        atMs,
        cacheKey: result.key.key,
        ...(result.blocks === undefined
          ? { end: "succeeded", reason: result.reason }
          : { end: "blocked", reason: result.blocks }),
        ...(result.facts === undefined ? {} : { facts: result.facts }),
      });
    }
    case "failed":
      return writeFailure(parts, transaction, { ...writing, failed: result });
    case "ended":
      return result.outcome.status === "waiting"
        ? writeWaiting(transaction, writing, result.outcome.gate)
        : writeSuccess(transaction, { ...writing, result, project: projectOf(writing) });
  }
}

function projectOf({ held, ending }: Writing): string {
  const preview = previewOf(ending.claimed.trigger);
  return preview === undefined ? held.run.project : projectOfPreview(held.run.project, preview);
}

/** A step run says how its processes were isolated, also where its kind has no facts. */
function factsOf<Facts extends object>(
  { isolation }: { readonly isolation: IsolationLevel | undefined },
  facts: Facts | undefined,
): object | undefined {
  return isolation === undefined ? facts : { ...facts, isolation };
}

async function recordMade(
  transaction: WriteTransaction,
  { held, result, atMs, project }: Success,
  allMade: readonly MadeVersion[],
): Promise<{
  readonly outputs: ReadonlyMap<string, { asset: string; versionId: string; created: boolean }>;
  readonly created: ReadonlyMap<string, { versionId: string; version: number; digest: string }>;
}> {
  const { run, stepRun } = held;
  const outputs = new Map<string, { asset: string; versionId: string; created: boolean }>();
  const created = new Map<string, { versionId: string; version: number; digest: string }>();
  for (const made of allMade) {
    const { version, created: isNew } = await recordAssetVersion(transaction, {
      project,
      asset: made.asset,
      kind: made.kind,
      digest: made.digest,
      madeAtMs: atMs,
      actor: run.actor,
      pipelineRunId: run.id,
      stepRunId: stepRun.id,
      partition: run.partition ?? undefined,
      rowCount: made.rowCount,
      sizeBytes: made.sizeBytes,
      content: {
        ...made.content,
        ...(result.recipe === undefined ? {} : { recipe: result.recipe }),
        ...(result.isolation === undefined ? {} : { isolation: result.isolation }),
      },
      inputs: [...inputsOf(made, result, outputs), ...(made.alsoMadeFrom ?? [])],
    });
    outputs.set(made.asset, {
      asset: made.asset,
      versionId: version.id,
      created: isNew || outputs.get(made.asset)?.created === true,
    });
    if (isNew) created.set(made.asset, { versionId: version.id, version: version.version, digest: version.digest });
  }
  return { outputs, created };
}

/** What a version was made from: all that the step read, or what its kind says of it. */
function inputsOf(
  { reads }: MadeVersion,
  { inputs }: Success["result"],
  before: ReadonlyMap<string, { readonly versionId: string }>,
): readonly { readonly versionId: string; readonly role: string }[] {
  const read = inputs.filter(({ asset }) => reads?.includes(asset) !== false);
  const made = (reads ?? []).flatMap((asset) => before.get(asset) ?? []);
  return [
    ...read.map(({ role, version }) => ({ versionId: version.id, role })),
    ...made.map(({ versionId }) => ({ versionId, role: "input" })),
  ];
}

interface Success extends Writing {
  readonly result: AttemptResult & { readonly type: "ended" };
  /** Where what was made belongs: the run's own, or that of a preview. */
  readonly project: string;
}

async function writeSuccess(transaction: WriteTransaction, writing: Success): Promise<void> {
  const { held, result, atMs, project } = writing;
  const { outcome } = result;
  if (outcome.status !== "succeeded") return;
  const { run, stepRun } = held;
  const facts = factsOf(result, outcome.facts);
  const { outputs, created } = await recordMade(transaction, writing, outcome.made);
  await outcome.alsoWrite?.(transaction);
  const isFirst = held.attempt.number === 1;
  await putStepResult(transaction, { stepRunId: stepRun.id, outputs: outcome.outputs, isFirst });
  await putStepInputs(transaction, {
    stepRunId: stepRun.id,
    isFirst,
    inputs: result.inputs.map(({ asset, role, version }) => ({ asset, role, versionId: version.id })),
  });
  await putStepOutputs(transaction, { stepRunId: stepRun.id, isFirst, outputs: [...outputs.values()] });
  if (result.cacheable) {
    await putCacheEntry(transaction, {
      project,
      key: result.key.key,
      pipeline: run.pipeline,
      step: stepRun.step,
      matrixIndex: stepRun.matrix_index,
      parts: { ...result.key.parts, versions: result.key.versions },
      outputs: [...outputs.values()].map(({ asset, versionId }) => ({ asset, versionId })),
      facts,
      results: outcome.outputs !== undefined && Object.keys(outcome.outputs).length > 0 ? outcome.outputs : undefined,
      blocks: outcome.blocks?.reason,
      stepRunId: stepRun.id,
      madeAtMs: atMs,
    });
  }
  const blocked = outcome.blocks?.reason;
  await endAttempt(transaction, held, {
    attempt: "succeeded",
    stepRun: "succeeded",
    atMs,
    cacheKey: result.key.key,
    ...(facts === undefined ? {} : { facts }),
    ...(blocked === undefined ? { end: "succeeded", reason: result.reason } : { end: "blocked", reason: blocked }),
  });
  // What a preview makes starts nothing of the project.
  if (project !== run.project) return;
  for (const [asset, version] of created) {
    await fireTrigger(transaction, {
      project: run.project,
      on: "data",
      subject: asset,
      cause: { asset, ...version, pipelineRunId: run.id, stepRunId: stepRun.id },
      atMs,
      actor: "engine",
    });
  }
}

/** A gate that was moved while the attempt looked at it is not waited for: the opening would be missed. */
async function writeWaiting(
  transaction: WriteTransaction,
  { held, atMs }: Writing,
  gate: { readonly key: string; readonly reason: string },
): Promise<void> {
  const known = await getGate(transaction, { project: held.run.project, key: gate.key });
  const claimedAt = held.attempt.claimed_at_ms;
  if (known?.state === "refused" && known.changedAtMs > claimedAt) {
    const error = stepFailed({
      step: held.stepRun.step,
      reason: `the gate was refused by ${known.actor}: ${known.reason}`,
    });
    return endAttempt(transaction, held, {
      attempt: "failed",
      stepRun: "failed",
      end: "failed",
      reason: known.reason,
      error: error.toJSON(),
      atMs,
    });
  }
  // Looked at again at once; should it still be closed then, the opening is older than that attempt and it waits.
  if (known?.state === "open" && known.changedAtMs >= claimedAt && held.stepRun.attempt_count < MOST_GATE_LOOKS) {
    return endAttempt(transaction, held, {
      attempt: "waiting",
      stepRun: "queued",
      reason: gate.reason,
      readyAtMs: (await databaseNow(transaction)) + 1,
      atMs,
    });
  }
  return endAttempt(transaction, held, {
    attempt: "waiting",
    stepRun: "waiting",
    gateKey: gate.key,
    reason: gate.reason,
    atMs,
  });
}

const MOST_GATE_LOOKS = 20;

async function writeFailure(
  parts: EngineParts,
  transaction: WriteTransaction,
  writing: Writing & { readonly failed: AttemptResult & { readonly type: "failed" } },
): Promise<void> {
  const { held, ending, failed, atMs } = writing;
  const { cause } = failed;
  if (cause === "interrupt")
    return endAttempt(transaction, held, {
      attempt: "interrupted",
      stepRun: "queued",
      reason: "its engine was stopped",
      atMs,
    });
  if (cause === "cancel" || isStopped(held.run, held.stepRun))
    return endAttempt(transaction, held, {
      attempt: "cancelled",
      stepRun: "cancelled",
      end: "cancelled",
      reason: "cancelled",
      atMs,
    });
  const error = toStepError(ending, failed);
  const delay = retryDelay(
    ending.step?.retry,
    held.stepRun.failure_count,
    { error, timedOut: cause === "timeout" },
    parts.random,
  );
  if (delay === undefined) {
    return endAttempt(transaction, held, {
      attempt: "failed",
      stepRun: "failed",
      end: "failed",
      counts: "failure",
      reason: firstLine(error.message),
      error: error.toJSON(),
      ...(failed.facts === undefined ? {} : { facts: failed.facts }),
      atMs,
    });
  }
  const reason = `attempt ${held.attempt.number} failed: ${firstLine(error.message)}`;
  return endAttempt(transaction, held, {
    attempt: "failed",
    stepRun: "queued",
    counts: "failure",
    reason,
    error: error.toJSON(),
    ...(failed.facts === undefined ? {} : { facts: failed.facts }),
    readyAtMs: (await databaseNow(transaction)) + delay,
    atMs,
  });
}

function toStepError(
  ending: AttemptEnding,
  failed: { readonly error: unknown; readonly cause: AbortCause | undefined },
): EsteiraError {
  if (failed.cause === "timeout")
    return stepTimedOut({ step: ending.claimed.step, timeoutMs: ending.step?.timeoutMs ?? 0 });
  return isEsteiraError(failed.error)
    ? failed.error
    : stepFailed({ step: ending.claimed.step, reason: messageOf(failed.error) }, failed.error);
}

function firstLine(text: string): string {
  const line = text.split("\n")[0] ?? text;
  return line.length > 500 ? `${line.slice(0, 499)}…` : line;
}

/**
 * Takes a dead engine's attempt away: another attempt follows under the budget for lost workers, not the user's
 * retries.
 */
export async function writeLost(
  parts: EngineParts,
  lost: { readonly attemptId: string; readonly token: number; readonly reason?: string },
): Promise<boolean> {
  return parts.store.write(async (transaction) => {
    const held = await holdAttempt(transaction, lost);
    if (held === undefined) return false;
    const atMs = parts.clock.now();
    await parts.ports.killTrackingRun(transaction, { attemptId: lost.attemptId, atMs });
    const losses = held.stepRun.lost_count + 1;
    if (isStopped(held.run, held.stepRun)) {
      await endAttempt(transaction, held, {
        attempt: "lost",
        stepRun: "cancelled",
        end: "cancelled",
        reason: "cancelled",
        atMs,
      });
    } else if (losses > LOST_BUDGET) {
      const error = workerLost({ step: held.stepRun.step, losses });
      await endAttempt(transaction, held, {
        attempt: "lost",
        stepRun: "failed",
        end: "failed",
        counts: "lost",
        reason: error.message,
        error: error.toJSON(),
        atMs,
      });
    } else {
      await endAttempt(transaction, held, {
        attempt: "lost",
        stepRun: "queued",
        counts: "lost",
        reason: lost.reason ?? "its engine was lost",
        atMs,
      });
    }
    return true;
  });
}
