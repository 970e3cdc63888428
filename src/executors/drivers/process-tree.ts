import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 5;
const SLOWEST_POLL_MS = 50;

/** True while any process of the group lives; one that has ended and waits to be collected does not count. */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  // The signal also reaches the dead that nobody has collected: a first process of a container may never do so.
  const processes = listProcesses();
  return processes.length === 0 || processes.some((pid) => isLivingMember(readProcessFile(pid, "stat"), group));
}

/** Fields behind the command's name: state, parent, group. */
function isLivingMember(stat: string, group: number): boolean {
  const [state, , memberOf] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(memberOf) === group && state !== "Z" && state !== "X";
}

/** Signals a group; one that is gone is no error: false. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    return false;
  }
}

/** Waits until nothing of the group lives, at most so long. */
export async function waitForGroupEnd(group: number, longestMs: number): Promise<boolean> {
  const until = performance.now() + longestMs;
  for (let pause = POLL_MS; isGroupAlive(group); pause = Math.min(pause * 1.5, SLOWEST_POLL_MS)) {
    if (performance.now() >= until) return false;
    await delay(pause);
  }
  return true;
}

/**
 * SIGTERM, the grace period, SIGKILL, and then until nothing is left.
 *
 * @param asked the group that is asked to end, where it is another: inside a sandbox, whose own process would take it
 *   down at once
 */
export async function endGroup(group: number, gracePeriodMs: number, asked: number = group): Promise<void> {
  // A sandbox that is still being made has no group yet.
  if (!signalGroup(asked, "SIGTERM") && asked !== group) signalGroup(group, "SIGTERM");
  if (await waitForGroupEnd(group, gracePeriodMs)) return;
  signalGroup(group, "SIGKILL");
  await waitForGroupEnd(group, 60_000);
}

/**
 * Processes whose environment holds a variable with a value that begins so: also those that left their group by a
 * session of their own. Empty where the system does not show environments.
 */
export function findMarkedProcesses(variable: string, prefix: string): readonly number[] {
  const wanted = `${variable}=${prefix}`;
  const found: number[] = [];
  for (const name of listProcesses()) {
    const pid = Number(name);
    if (pid === process.pid) continue;
    const environment = readProcessFile(name, "environ");
    if (!environment.split("\0").some((entry) => entry.startsWith(wanted))) continue;
    if (!/\) Z /.test(readProcessFile(name, "stat"))) found.push(pid);
  }
  return found;
}

/** Kills every marked process and waits until none is left. */
export async function killMarkedProcesses(variable: string, prefix: string): Promise<void> {
  for (
    let pids = findMarkedProcesses(variable, prefix);
    pids.length > 0;
    pids = findMarkedProcesses(variable, prefix)
  ) {
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
    await delay(POLL_MS);
  }
}

function listProcesses(): readonly string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    // Another system than Linux.
    return [];
  }
}

function readProcessFile(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    // It has ended meanwhile, or belongs to another user.
    return "";
  }
}
