import { type ImportProgress, type ImportReport, importMlflow } from "#packaging";
import { purgeDeleted, type PurgeReport } from "#registry";
import type { StorePlatform } from "./platform.ts";

/**
 * Takes over the store of an MLflow server; artifacts go where those of this store are kept. @throws
 * METADATA_STORE_IMPORT_SOURCE_UNREADABLE
 */
export async function importMlflowStore(
  { store, clock, log, project, artifacts, artifactRoot }: StorePlatform,
  request: {
    readonly from: string;
    readonly actor: string;
    /** What `mlflow-artifacts:/` meant there. */
    readonly artifactsFrom?: string | undefined;
    readonly copyArtifacts: boolean;
    readonly onProgress: (progress: ImportProgress) => void;
    readonly signal: AbortSignal;
  },
): Promise<ImportReport> {
  const { from, actor, onProgress, signal } = request;
  return importMlflow({
    from,
    store,
    clock,
    log,
    project,
    actor,
    artifacts,
    artifactRoot,
    artifactMode: request.copyArtifacts ? "copy" : "reference",
    onProgress,
    signal,
    ...(request.artifactsFrom === undefined ? {} : { artifactsFrom: request.artifactsFrom }),
  });
}

/**
 * Removes for good what was deleted in tracking longer ago than the retention, with its artifacts; with `dryRun` says
 * what would go.
 */
export async function purgeTracking(
  { store, clock, log, project, artifacts }: StorePlatform,
  request: {
    readonly actor: string;
    readonly retentionMs: number;
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
  },
): Promise<PurgeReport> {
  return purgeDeleted({
    store,
    clock,
    log,
    project,
    artifacts,
    actor: request.actor,
    retentionMs: request.retentionMs,
    dryRun: request.dryRun,
    signal: request.signal,
  });
}
