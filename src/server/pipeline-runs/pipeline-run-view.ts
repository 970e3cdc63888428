import type {
  Attempt,
  PipelineEdge,
  PipelineRunSummary,
  RunCause,
  StepCounts,
  StepRun,
  VersionReference,
  WaitReason,
} from "#api";
import type { ReadTransaction } from "#metadata-store";
import {
  type Attempt as StoredAttempt,
  countStepRunsOf,
  listAssetsOf,
  listAttemptsOf,
  type PipelineRun,
  type StepAsset,
  type StepRun as StoredStepRun,
  type StoredError,
} from "#metadata-store/engine";
import { findAbandonedRuns } from "#engine";
import { parseReason } from "#pipeline";
import { matrixText } from "./matrix-text.ts";
import { readWaits } from "./queue-handlers.ts";

/** A pipeline run as lists show it. */
export async function toRunSummary(transaction: ReadTransaction, run: PipelineRun): Promise<PipelineRunSummary> {
  const [summary] = await toRunSummaries(transaction, [run]);
  return summary as PipelineRunSummary;
}

/** Pipeline runs as lists show them. */
export async function toRunSummaries(
  transaction: ReadTransaction,
  runs: readonly PipelineRun[],
): Promise<readonly PipelineRunSummary[]> {
  const counts = await countStepRunsOf(
    transaction,
    runs.map(({ id }) => id),
  );
  const abandoned = await findAbandonedRuns(transaction, runs);
  return runs.map((run) => ({
    ...summarize(run, counts.get(run.id)),
    ...(abandoned.has(run.id) ? { isAbandoned: true } : {}),
  }));
}

function summarize(run: PipelineRun, counts: StepCounts = { cached: 0 }): PipelineRunSummary {
  return {
    id: run.id,
    pipeline: run.pipeline,
    status: run.status,
    trigger: toCause(run),
    partition: run.partition,
    actor: run.actor,
    commit: run.source?.commit === undefined ? undefined : { id: run.source.commit, dirty: false },
    queuedAtMs: run.createdAtMs,
    startedAtMs: run.startedAtMs,
    endedAtMs: run.finishedAtMs,
    steps: counts,
    blocked: run.blocked,
    reason: reasonOf(run),
  };
}

const LONGEST_REASON = 200;

/** The step that failed and the first line of its error, shortened. */
function reasonOf({ error }: PipelineRun): string | undefined {
  if (error?.message === undefined) return undefined;
  const line = `${error.step === undefined ? "" : `${error.step}: `}${error.message.split("\n")[0] ?? ""}`;
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 1)}…` : line;
}

function toCause({ trigger }: PipelineRun): RunCause {
  const cause = trigger.cause as { id?: string; versionId?: string; alertId?: string; commit?: string };
  return {
    on: trigger.kind,
    subject: trigger.subject,
    cause: cause.alertId ?? cause.versionId ?? cause.commit ?? cause.id,
  };
}

/** Step runs with their attempts and versions: a few statements, whatever their number. */
export async function toStepRuns(
  transaction: ReadTransaction,
  stepRuns: readonly StoredStepRun[],
): Promise<readonly StepRun[]> {
  const ids = stepRuns.map(({ id }) => id);
  const attempts = await listAttemptsOf(
    transaction,
    stepRuns.filter(({ attemptCount }) => attemptCount > 0).map(({ id }) => id),
  );
  const { inputs, outputs } = await listAssetsOf(transaction, ids);
  const waits = await readWaits(transaction, stepRuns);
  return stepRuns.map((stepRun) =>
    toStepRun(stepRun, {
      attempts: attempts.get(stepRun.id) ?? [],
      inputs: inputs.get(stepRun.id) ?? [],
      outputs: outputs.get(stepRun.id) ?? [],
      waitsFor: waits.get(stepRun.id),
    }),
  );
}

interface StepRunFacts {
  readonly attempts: readonly StoredAttempt[];
  readonly inputs: readonly StepAsset[];
  readonly outputs: readonly StepAsset[];
  readonly waitsFor: WaitReason | undefined;
}

function toStepRun(stepRun: StoredStepRun, { attempts, inputs, outputs, waitsFor }: StepRunFacts): StepRun {
  const trackingRunId = attempts.findLast((attempt) => attempt.trackingRunId !== undefined)?.trackingRunId;
  return {
    id: stepRun.id,
    step: stepRun.step,
    kind: stepRun.kind,
    status: stepRun.status,
    cached: stepRun.cached,
    matrix: matrixText(stepRun.matrix),
    reason: stepRun.reason,
    why: stepRun.reason === undefined ? undefined : parseReason(stepRun.reason),
    waitsFor,
    queuedAtMs: stepRun.queuedAtMs,
    startedAtMs: stepRun.startedAtMs,
    endedAtMs: stepRun.finishedAtMs,
    attempts: attempts.map(toAttempt),
    facts: stepRun.facts ?? {},
    inputs: inputs.map(toReference),
    made: outputs.map(toReference),
    gate:
      stepRun.status === "waiting" && stepRun.gateKey !== undefined
        ? { key: stepRun.gateKey, reason: stepRun.reason ?? "" }
        : undefined,
    progress: stepRun.status === "running" ? stepRun.progress : undefined,
    error: stepRun.error === undefined ? undefined : toProblem(stepRun.error),
    trackingRun: trackingRunId === undefined ? undefined : { experimentId: "", runId: trackingRunId },
  };
}

function toReference({ id, asset, kind, version, digest, role, rowCount, sizeBytes }: StepAsset): VersionReference {
  return { id, asset, kind, version, digest, role, rowCount, sizeBytes };
}

function toAttempt(attempt: StoredAttempt): Attempt {
  const context = (attempt.error?.context ?? {}) as { exitCode?: number; signal?: string };
  return {
    id: attempt.id,
    number: attempt.number,
    status: attempt.status === "interrupted" ? "lost" : attempt.status,
    startedAtMs: attempt.startedAtMs,
    endedAtMs: attempt.finishedAtMs,
    exitCode: context.exitCode,
    signal: context.signal,
    error: attempt.error === undefined ? undefined : toProblem(attempt.error),
  };
}

/** A stored error as the API shows it. */
export function toProblem(error: StoredError): NonNullable<StepRun["error"]> {
  return {
    code: error.code ?? "PIPELINE_STEP_FAILED",
    message: error.message,
    hint: error.hint,
    context: error.context as Readonly<Record<string, unknown>> | undefined,
  };
}

/** Edges of a run from each step's dependents. */
export function toEdges(
  steps: readonly { readonly step: string; readonly dependents: readonly string[] }[],
): readonly PipelineEdge[] {
  return steps.flatMap(({ step, dependents }) => dependents.map((dependent) => ({ from: step, to: dependent })));
}
