import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";

/** Where a run keeps its artifacts. */
export interface RunLocation {
  readonly runId: string;
  readonly experimentId: string;
  readonly artifactUri: string;
}

/** @returns undefined when there is no such run; deleted ones are found */
export async function getRunLocation(transaction: ReadTransaction, runId: string): Promise<RunLocation | undefined> {
  const { rows } = await sql<{
    experiment_id: number;
    artifact_uri: string;
  }>`select experiment_id, artifact_uri from run where run_id = ${runId}`.execute(transaction);
  const [row] = rows;
  return row === undefined
    ? undefined
    : { runId, experimentId: String(row.experiment_id), artifactUri: row.artifact_uri };
}

/**
 * Where an experiment keeps its artifacts; without a location, at the default place below the artifact root. @returns
 * undefined when there is no such experiment
 */
export async function getExperimentLocation(
  transaction: ReadTransaction,
  experimentId: string,
): Promise<{ readonly artifactLocation: string | undefined } | undefined> {
  const id = Number(experimentId);
  if (!Number.isSafeInteger(id)) return undefined;
  const { rows } = await sql<{
    artifact_location: string | null;
  }>`select artifact_location from experiment where experiment_id = ${id}`.execute(transaction);
  const [row] = rows;
  return row === undefined ? undefined : { artifactLocation: row.artifact_location ?? undefined };
}
