import type { DatasetCompaction, DatasetVacuum } from "#data";
import type { Platform } from "./platform.ts";

/**
 * Removes data files that no version of the project's datasets refers to; with `dryRun` says what would go. @throws
 * DATA_DATASET_MISSING
 */
export async function vacuumProjectDatasets(
  platform: Platform,
  request: {
    readonly dataset?: string | undefined;
    readonly retentionMs?: number | undefined;
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
  },
): Promise<readonly DatasetVacuum[]> {
  const { vacuumDatasets } = await import("#data");
  return vacuumDatasets(platform, request);
}

/** Writes the small files of the project's datasets as few. @throws DATA_DATASET_MISSING, DATA_DATASET_BUSY */
export async function compactProjectDatasets(
  platform: Platform,
  request: { readonly dataset?: string | undefined; readonly signal: AbortSignal },
): Promise<readonly DatasetCompaction[]> {
  const { compactDatasets } = await import("#data");
  return compactDatasets(platform, request);
}
