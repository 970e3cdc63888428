import { createHash, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemCodeOf } from "../system-error.ts";

/** What is done under a lock takes some milliseconds; a holder that takes longer has died, on whatever machine. */
const LONGEST_HOLD_MS = 30_000;
const RETRY_MS = 5;

/**
 * Does something that no other process on this file system does at the same time under the same name.
 *
 * The lock is a file that only one can link to its name; one whose process is gone is taken away.
 *
 * @param lock.folder where locks are kept, on a file system with hard links
 */
export async function withFileLock<Result>(
  { folder, name }: { readonly folder: string; readonly name: string },
  work: () => Promise<Result>,
): Promise<Result> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = join(folder, `lock-${createHash("sha256").update(name).digest("hex")}`);
  const own = [process.pid, randomUUID(), hostname()].join(" ");
  const temporary = join(folder, randomUUID());
  await writeFile(temporary, own, { mode: 0o600 });
  try {
    while (!(await take(temporary, lock))) {
      await breakStale(lock);
      await delay(RETRY_MS);
    }
    try {
      return await work();
    } finally {
      if ((await textOf(lock)) === own) await rm(lock, { force: true });
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

async function take(temporary: string, lock: string): Promise<boolean> {
  try {
    await link(temporary, lock);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function breakStale(lock: string): Promise<void> {
  const held = await textOf(lock);
  if (held === undefined) return;
  const facts = await stat(lock).catch(() => undefined);
  if (facts === undefined) return;
  if (mayBeAlive(held) && Date.now() - facts.ctimeMs < LONGEST_HOLD_MS) return;
  const broken = `${lock}-${randomUUID()}`;
  await rename(lock, broken).catch(() => undefined);
  // Somebody else broke it first, and this is the lock of the next holder: it gets it back.
  if ((await textOf(broken)) !== held) await link(broken, lock).catch(() => undefined);
  await rm(broken, { force: true });
}

/** Of a process of another machine nothing can be told. */
function mayBeAlive(held: string): boolean {
  const [pid, , host] = held.split(" ");
  if (host !== hostname()) return true;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
}

function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}
