import type { Attempt, PipelineEdge, PipelineRunSummary, RunCause, StepCounts, StepRun } from "#api";
import {
  type Attempt as StoredAttempt,
  countCachedStepRuns,
  countStepRuns,
  getAssetVersion,
  listAttempts,
  listStepAssets,
  type PipelineRun,
  type ReadTransaction,
  type StepRun as StoredStepRun,
  type StoredError,
} from "#metadata-store";
import { toReference } from "../api/version-reference.ts";

/** A pipeline run as lists show it. */
export async function toRunSummary(transaction: ReadTransaction, run: PipelineRun): Promise<PipelineRunSummary> {
  return {
    id: run.id,
    pipeline: run.pipeline,
    status: run.status,
    trigger: toCause(run),
    actor: run.actor,
    commit: run.source?.commit === undefined ? undefined : { id: run.source.commit, dirty: false },
    queuedAtMs: run.createdAtMs,
    startedAtMs: run.startedAtMs,
    endedAtMs: run.finishedAtMs,
    steps: { ...(await countStepRuns(transaction, run.id)), cached: await countCachedStepRuns(transaction, run.id) } satisfies StepCounts,
    blocked: run.blocked,
  };
}

function toCause({ trigger }: PipelineRun): RunCause {
  const cause = trigger.cause as { id?: string; versionId?: string; alertId?: string; commit?: string };
  return { on: trigger.kind, subject: trigger.subject, cause: cause.alertId ?? cause.versionId ?? cause.commit ?? cause.id };
}

/** A step run with its attempts and versions. */
export async function toStepRun(transaction: ReadTransaction, stepRun: StoredStepRun): Promise<StepRun> {
  const attempts = stepRun.attemptCount === 0 ? [] : await listAttempts(transaction, stepRun.id);
  const { inputs, outputs } = await listStepAssets(transaction, stepRun.id);
  const versions = await Promise.all([...inputs, ...outputs].map(({ versionId }) => getAssetVersion(transaction, { id: versionId })));
  const byId = new Map(versions.flatMap((version) => (version === undefined ? [] : [[version.id, version] as const])));
  const trackingRunId = attempts.findLast((attempt) => attempt.trackingRunId !== undefined)?.trackingRunId;
  return {
    id: stepRun.id,
    step: stepRun.step,
    kind: stepRun.kind,
    status: stepRun.status,
    cached: stepRun.cached,
    matrix: stepRun.matrix === undefined ? undefined : Object.entries(stepRun.matrix).map(([name, value]) => `${name}=${String(value)}`).join(", "),
    reason: stepRun.reason,
    queuedAtMs: stepRun.queuedAtMs,
    startedAtMs: stepRun.startedAtMs,
    endedAtMs: stepRun.finishedAtMs,
    attempts: attempts.map(toAttempt),
    facts: stepRun.facts ?? {},
    inputs: inputs.flatMap(({ versionId, role }) => { const version = byId.get(versionId); return version === undefined ? [] : [toReference(version, role)]; }),
    made: outputs.flatMap(({ versionId }) => { const version = byId.get(versionId); return version === undefined ? [] : [toReference(version)]; }),
    gate: stepRun.status === "waiting" && stepRun.gateKey !== undefined ? { key: stepRun.gateKey, reason: stepRun.reason ?? "" } : undefined,
    progress: stepRun.status === "running" ? stepRun.progress : undefined,
    error: stepRun.error === undefined ? undefined : toProblem(stepRun.error),
    trackingRun: trackingRunId === undefined ? undefined : { experimentId: "", runId: trackingRunId },
  };
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

function toProblem(error: StoredError): NonNullable<StepRun["error"]> {
  return { code: error.code ?? "PIPELINE_STEP_FAILED", message: error.message, hint: error.hint };
}

/** Edges of a run from each step's dependents. */
export function toEdges(steps: readonly { readonly step: string; readonly dependents: readonly string[] }[]): readonly PipelineEdge[] {
  return steps.flatMap(({ step, dependents }) => dependents.map((dependent) => ({ from: step, to: dependent })));
}
