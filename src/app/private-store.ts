import type { Dirent } from "node:fs";
import { chmod, lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Log, messageOf } from "#base";

const PRIVATE_FOLDER = 0o700;
const OTHERS = 0o077;
/** Folders whose files are many, and are no secrets: behind a private store nobody reaches them. */
const NOT_WALKED = new Set(["python", "cache", "work"]);

/**
 * Makes the folder of a store, for its user alone, whatever the umask. A store that others could read is closed to
 * them:
 * once, since a folder that is closed already is not walked again.
 *
 * A store that belongs to another user is left as it is, and a warning says so.
 */
export async function openPrivateStore(folder: string, log: Log): Promise<void> {
  await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const { mode } = await lstat(folder);
  if ((mode & OTHERS) === 0) return;
  try {
    await tightenBelow(folder, true);
    // Last: a walk that was cut short begins again.
    await chmod(folder, mode & ~OTHERS & 0o7777);
  } catch (error) {
    log.warn("the store can be read by others, and could not be closed to them", { folder, reason: messageOf(error) });
  }
}

async function tightenBelow(folder: string, isRoot: boolean): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (isRoot && NOT_WALKED.has(entry.name)) continue;
    await tighten(join(folder, entry.name), entry);
  }
}

async function tighten(path: string, entry: Dirent): Promise<void> {
  // What a link points at is not the store's; what went away meanwhile is nobody's.
  if (!entry.isFile() && !entry.isDirectory()) return;
  if (entry.isDirectory()) await tightenBelow(path, false);
  try {
    const { mode } = await lstat(path);
    if ((mode & OTHERS) !== 0) await chmod(path, mode & ~OTHERS & 0o7777);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
