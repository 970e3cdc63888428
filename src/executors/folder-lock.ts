import { open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { newId } from "#base";

const POLL_MS = 200;
const REFRESH_MS = 5_000;
const STALE_AFTER_MS = 60_000;

/**
 * Runs `work` while this process alone holds the lock file; waits for its turn.
 *
 * The holder refreshes the file's time. A lock is taken over when its process is gone from this host, or when it was
 * not refreshed for a minute (another host, or a process id that was given away again).
 */
export async function withFolderLock<Result>(
  path: string,
  options: { readonly signal?: AbortSignal; readonly onWait?: () => void },
  work: () => Promise<Result>,
): Promise<Result> {
  let waited = false;
  while (!(await tryLock(path))) {
    if (!waited) options.onWait?.();
    waited = true;
    await removeWhenStale(path);
    await delay(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
  const refresh = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), REFRESH_MS);
  try {
    return await work();
  } finally {
    clearInterval(refresh);
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(JSON.stringify({ host: hostname(), pid: process.pid }));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function removeWhenStale(path: string): Promise<void> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    const stale =
      Date.now() - mtimeMs > STALE_AFTER_MS ||
      (text !== "" && isGone(JSON.parse(text) as { host: string; pid: number }));
    if (!stale) return;
    // Renaming lets exactly one of several waiters remove it, and never a new holder's file seen after the check.
    const aside = `${path}.${newId()}`;
    await rename(path, aside);
    const moved = await readFile(aside, "utf8");
    if (moved !== text) await rename(aside, path);
    else await rm(aside, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function isGone(holder: { readonly host: string; readonly pid: number }): boolean {
  if (holder.host !== hostname()) return false;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
