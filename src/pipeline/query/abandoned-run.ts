import { listForeignAttempts, listOtherEngines, type MetadataStore, type PipelineRun } from "#metadata-store";
import { isLost, isProcessGone } from "../engine/process-identity.ts";

/**
 * A run that is called running though no engine that lives works on it: its engine was killed, and nobody has taken it
 * over.
 */
export async function isAbandoned(
  store: MetadataStore,
  run: Pick<PipelineRun, "id" | "project" | "status">,
): Promise<boolean> {
  if (run.status !== "running") return false;
  return store.read(async (transaction) => {
    const attempts = await listForeignAttempts(transaction, {
      project: run.project,
      engineId: "",
      pipelineRunId: run.id,
    });
    if (attempts.length > 0) return attempts.every(isLost);
    // Between two attempts, or before a retry, nothing says which engine it is: any that lives may be it.
    const engines = await listOtherEngines(transaction, { project: run.project, engineId: "" });
    return engines.every(isProcessGone);
  });
}
