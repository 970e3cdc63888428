import type { MetadataStore } from "#metadata-store";
import { countPipelineRunsUpTo, listAllStepRuns, type StepRun } from "#metadata-store/engine";

/** What one step run of a pipeline run has come to by now. */
export type StepResult = Pick<StepRun, "id" | "step" | "matrixIndex" | "status" | "facts" | "error">;

/** All step runs of a pipeline run as they are now, in the order of the graph. */
export async function readStepResults(store: MetadataStore, pipelineRunId: string): Promise<readonly StepResult[]> {
  return store.read((transaction) => listAllStepRuns(transaction, pipelineRunId));
}

/** How many runs of its pipeline there were up to one, itself among them; 1 where it is unknown. */
export async function readRunNumber(store: MetadataStore, pipelineRunId: string): Promise<number> {
  return store.read(async (transaction) => Math.max(1, await countPipelineRunsUpTo(transaction, pipelineRunId)));
}
