import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { listEndedAttempts } from "#metadata-store/engine";
import type { EngineParts } from "./engine-parts.ts";

/** Folder of one attempt: its private home, its temporary files and what it makes. */
export function workFolderOf(parts: Pick<EngineParts, "storeFolder">, attemptId: string): string {
  return join(parts.storeFolder, "work", attemptId);
}

/** Removes an attempt's folder; one that is gone is no error. */
export async function removeWorkFolder(parts: Pick<EngineParts, "storeFolder">, attemptId: string): Promise<void> {
  await rm(workFolderOf(parts, attemptId), { recursive: true, force: true, maxRetries: 3 });
}

/**
 * Removes the folders of attempts that have ended: an engine that was killed just then could not. Those of unknown
 * attempts stay.
 */
export async function sweepWorkFolders(parts: Pick<EngineParts, "storeFolder" | "store">): Promise<void> {
  const found = await readdir(join(parts.storeFolder, "work")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (found.length === 0) return;
  for (const attemptId of await parts.store.read((transaction) => listEndedAttempts(transaction, found)))
    await removeWorkFolder(parts, attemptId);
}
