import type { FailedRun, Parcel } from "#api";
import type { Platform } from "#app";
import type { ReadTransaction } from "#metadata-store";
import {
  findFailedStepRun,
  isRunAcknowledged,
  listRunningStepRuns,
  listUnsettledFailures,
  type PipelineRun,
} from "#metadata-store/engine";
import { findAbandonedRuns } from "#engine";
import { toProblem, toRunSummary } from "../pipeline-runs/pipeline-run-view.ts";

const PARCELS_SHOWN = 60;

/**
 * What works at this moment, each step run at its station; `abandoned` names the runs of which nothing moves, because
 * their engine is gone.
 */
export async function readParcels(
  transaction: ReadTransaction,
  platform: Platform,
): Promise<{
  readonly parcels: readonly Parcel[];
  readonly parcelCount: number;
  readonly abandoned: ReadonlySet<string>;
}> {
  const { project } = platform;
  const running = await listRunningStepRuns(transaction, { project, limit: PARCELS_SHOWN });
  const ids = new Set(running.stepRuns.map(({ pipelineRunId }) => pipelineRunId));
  const abandoned = await findAbandonedRuns(
    transaction,
    [...ids].map((id) => ({ id, project, status: "running" })),
  );
  const stepRuns = running.stepRuns.filter(({ pipelineRunId }) => !abandoned.has(pipelineRunId));
  const places = new Map(platform.stationedSteps().map((each) => [`${each.pipeline}/${each.step}`, each]));
  const parcels = stepRuns.map((stepRun): Parcel => {
    // A step that was taken out of its file while it ran is a command as far as anybody knows.
    const { load, station } = places.get(`${stepRun.pipeline}/${stepRun.step}`) ?? {
      load: "code" as const,
      station: "check" as const,
    };
    return {
      pipeline: stepRun.pipeline,
      pipelineRunId: stepRun.pipelineRunId,
      step: stepRun.step,
      stepRunId: stepRun.id,
      load,
      station,
      startedAtMs: stepRun.startedAtMs,
    };
  });
  return { parcels, parcelCount: running.count - (running.stepRuns.length - stepRuns.length), abandoned };
}

/** Failures that wait for a person: not followed by a success, not said to have been seen. */
export async function readFailedRuns(transaction: ReadTransaction, project: string): Promise<readonly FailedRun[]> {
  const runs = await listUnsettledFailures(transaction, { project });
  const failed = await Promise.all(runs.map(async (run) => readFailedRun(transaction, run)));
  return failed.flatMap((run) => run ?? []);
}

async function readFailedRun(transaction: ReadTransaction, run: PipelineRun): Promise<FailedRun | undefined> {
  if (await isRunAcknowledged(transaction, run)) return undefined;
  const stepRun = await findFailedStepRun(transaction, run.id);
  const error =
    stepRun?.error ?? (run.error?.message === undefined ? undefined : { ...run.error, message: run.error.message });
  return {
    run: await toRunSummary(transaction, run),
    step: stepRun?.step,
    stepRunId: stepRun?.id,
    error: error === undefined ? undefined : toProblem(error),
  };
}
