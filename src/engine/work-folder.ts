import { readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { listEndedAttempts } from "#metadata-store/engine";
import type { EngineParts } from "./engine-parts.ts";
import { isProcessGone, processStart, processTableName } from "./process-identity.ts";

/** Folder of one attempt: its private home, its temporary files and what it makes. */
export function workFolderOf(parts: Pick<EngineParts, "storeFolder">, attemptId: string): string {
  return join(parts.storeFolder, "work", attemptId);
}

/** Removes an attempt's folder; one that is gone is no error. */
export async function removeWorkFolder(parts: Pick<EngineParts, "storeFolder">, attemptId: string): Promise<void> {
  const folder = workFolderOf(parts, attemptId);
  if (!removeSmall(folder)) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

const MOST_ENTRIES = 16;

/**
 * Removes a folder of few files and empty folders at once, as most steps leave theirs: on other threads, each entry
 * costs several times what it takes here. Below a folder of it nothing is touched: a process that is left may put a
 * link in its place.
 *
 * @returns false when there is more in it, or something fails
 */
function removeSmall(folder: string): boolean {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    if (entries.length > MOST_ENTRIES) return false;
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) rmdirSync(path);
      else unlinkSync(path);
    }
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

const holder = z.object({ host: z.string(), pid: z.number().int(), processStart: z.string() });

/** Makes a folder that belongs to no attempt but to this process: once that is gone, it is swept. */
export async function makeHeldWorkFolder(parts: Pick<EngineParts, "storeFolder">, id: string): Promise<string> {
  const folder = workFolderOf(parts, id);
  await mkdir(folder, { recursive: true });
  const { pid } = process;
  const held: z.infer<typeof holder> = { host: processTableName(), pid, processStart: processStart(pid) };
  await writeFile(join(folder, HOLDER), JSON.stringify(held));
  return folder;
}

const HOLDER = "holder.json";

async function isLeftBehind(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, HOLDER), "utf8").catch(() => undefined);
  if (text === undefined) return false;
  try {
    return isProcessGone(holder.parse(JSON.parse(text)));
  } catch {
    // It was killed while it wrote who it is.
    return true;
  }
}

/**
 * Removes the folders of attempts that have ended: an engine that was killed just then could not. Those of processes
 * that are gone go too; those of unknown attempts stay.
 */
export async function sweepWorkFolders(parts: Pick<EngineParts, "storeFolder" | "store">): Promise<void> {
  const found = await readdir(join(parts.storeFolder, "work")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (found.length === 0) return;
  for (const id of found) if (await isLeftBehind(workFolderOf(parts, id))) await removeWorkFolder(parts, id);
  for (const attemptId of await parts.store.read((transaction) => listEndedAttempts(transaction, found)))
    await removeWorkFolder(parts, attemptId);
}
