import type { ReadTransaction } from "#metadata-store";
import { listForeignAttempts, listOtherEngines, type PipelineRun } from "#metadata-store/engine";
import { isLost, isProcessGone } from "../process-identity.ts";

/**
 * Of these runs, the ids of those that are called running though no engine that lives works on them: theirs was
 * killed, and nobody has taken them over.
 */
export async function findAbandonedRuns(
  transaction: ReadTransaction,
  runs: readonly Pick<PipelineRun, "id" | "project" | "status">[],
): Promise<ReadonlySet<string>> {
  const abandoned = new Set<string>();
  const projects = new Map<string, boolean>();
  for (const { id, project } of runs.filter(({ status }) => status === "running")) {
    const attempts = await listForeignAttempts(transaction, { project, engineId: "", pipelineRunId: id });
    if (attempts.some((attempt) => !isLost(attempt))) continue;
    // Between two attempts, or before a retry, nothing says which engine it is: any that lives may be it.
    if (attempts.length === 0 && !projects.has(project))
      projects.set(project, await hasLivingEngine(transaction, project));
    if (attempts.length > 0 || projects.get(project) === false) abandoned.add(id);
  }
  return abandoned;
}

async function hasLivingEngine(transaction: ReadTransaction, project: string): Promise<boolean> {
  return (await listOtherEngines(transaction, { project, engineId: "" })).some((engine) => !isProcessGone(engine));
}
