import { readdirSync, readFileSync } from "node:fs";
import type { ExceededLimit, ProcessLimits } from "#pipeline";

const PAUSE_MS = 200;
const PAGE_BYTES = 4096;

/**
 * Looks at what a process and all below it take, some times a second. Where resource limits of the kernel would do,
 * they do not: those of memory are of one process and count what is mapped, which runtimes map plenty of, and those of
 * processes count all of a user, root's not at all.
 *
 * @param root first process; what it started is known by its parents, and by the group
 * @returns ends the watch
 */
export function watchLimits(
  root: number,
  { memoryBytes, processes }: ProcessLimits,
  onExceeded: (exceeded: ExceededLimit) => void,
): () => void {
  if (memoryBytes === undefined && processes === undefined) return () => {};
  const timer = setInterval(() => {
    const tree = listTree(root);
    if (processes !== undefined && tree.length > processes)
      return exceed({ limit: "processes", found: tree.length, allowed: processes });
    if (memoryBytes === undefined) return;
    const found = tree.reduce((sum, pid) => sum + privateBytes(pid), 0);
    if (found > memoryBytes) exceed({ limit: "memory", found, allowed: memoryBytes });
  }, PAUSE_MS);
  timer.unref();
  const exceed = (exceeded: ExceededLimit): void => {
    clearInterval(timer);
    onExceeded(exceeded);
  };
  return () => clearInterval(timer);
}

/** Living processes below the first one; the first itself, which is the sandbox's or the shell's, counts too. */
function listTree(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(name, "stat");
    const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === undefined || state === "" || state === "Z" || state === "X") continue;
    const above = Number(group) === root ? root : Number(parent);
    if (Number(name) !== root) children.set(above, [...(children.get(above) ?? []), Number(name)]);
  }
  const found = [root];
  for (let next = 0; next < found.length; next++) found.push(...(children.get(found[next] ?? -1) ?? []));
  return found;
}

/** What only this process has in memory: fields are pages, resident and of them shared. */
function privateBytes(pid: number): number {
  const [, resident = "0", shared = "0"] = read(String(pid), "statm").split(" ");
  return Math.max(0, Number(resident) - Number(shared)) * PAGE_BYTES;
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}
