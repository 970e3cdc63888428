import { readFile } from "node:fs/promises";

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When the system started it, in the system's own unit; undefined where it does not tell. */
  readonly startTime: string | undefined;
}

/** Identity of a running process; undefined when there is none. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  const fields = await readStat(pid);
  if (fields === undefined) return process.platform === "linux" ? undefined : { pid, startTime: undefined };
  // A zombie has ended: only its parent has not noticed.
  return fields.state === "Z" ? undefined : { pid, startTime: fields.startTime };
}

/** True while the same process runs that was identified before. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const current = await identifyProcess(identity.pid);
  return current !== undefined && current.startTime === identity.startTime;
}

async function readStat(pid: number): Promise<{ readonly state: string; readonly startTime: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  // The command name may hold spaces and parentheses: fields are counted after its end.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", startTime: fields[19] ?? "" };
}
