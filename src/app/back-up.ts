import { join } from "node:path";
import type { BackupCheck, BackupProgress, FinishedBackup, RestoredStore } from "#backup";
import type { ProjectConfig } from "#config";
import type { StorePlatform } from "./platform.ts";

interface Watched {
  readonly signal: AbortSignal;
  readonly report: (progress: BackupProgress) => void;
}

/** Copies the store of a platform into a folder, while it is in use. @throws BACKUP_… and METADATA_STORE_… */
export async function backUpPlatform(
  { config, project, version, clock }: StorePlatform,
  { folder, ...watched }: Watched & { readonly folder: string },
): Promise<FinishedBackup> {
  const { backUpStore, bucketNotBackedUp } = await import("#backup");
  const { storeFolder, metadataAddress, bucket } = config;
  if (bucket !== undefined) throw bucketNotBackedUp(bucket);
  return backUpStore({ ...watched, storeFolder, metadataAddress, folder, project, version, clock });
}

/** Compares a backup with the digests that it was written with. @throws BACKUP_FOLDER_UNKNOWN, BACKUP_TOO_NEW */
export async function checkStoreBackup(folder: string, watched: Watched): Promise<BackupCheck> {
  return (await import("#backup")).checkBackup(folder, watched);
}

/** Makes the store that a project is configured for from a backup. @throws BACKUP_… and METADATA_STORE_… */
export async function restoreProjectStore(
  { storeFolder, metadataAddress, bucket }: ProjectConfig,
  { backup, ...watched }: Watched & { readonly backup: string },
): Promise<RestoredStore> {
  if (bucket !== undefined) throw (await import("#backup")).bucketNotBackedUp(bucket);
  const { restoreStore } = await import("#backup");
  const embedded = join(storeFolder, "metadata.sqlite");
  return restoreStore({
    ...watched,
    backup,
    storeFolder,
    metadataAddress: (folder) => (metadataAddress === embedded ? join(folder, "metadata.sqlite") : metadataAddress),
  });
}
