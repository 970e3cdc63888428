import type { MetadataStore } from "#metadata-store";
import {
  countStepRuns,
  findPipelineRun,
  listAllStepRuns,
  type PipelineRun,
  type StepRun,
  type StepRunStatus,
} from "#metadata-store/engine";

/** A pipeline run with its step runs, as a person watches it. */
export interface RunProgress {
  readonly run: PipelineRun;
  /** How many step runs have each status. */
  readonly counts: Readonly<Partial<Record<StepRunStatus, number>>>;
  /** In the order of the graph. */
  readonly stepRuns: readonly StepRun[];
}

/** Undefined when there is no such run. */
export async function getRunProgress(store: MetadataStore, id: string): Promise<RunProgress | undefined> {
  return store.read(async (transaction) => {
    const run = await findPipelineRun(transaction, id);
    if (run === undefined) return undefined;
    return { run, counts: await countStepRuns(transaction, id), stepRuns: await listAllStepRuns(transaction, id) };
  });
}
