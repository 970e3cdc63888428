import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { ForeignAttempt } from "#metadata-store/engine";

/**
 * Name of this process table: host, boot and process namespace. Process ids of two processes compare only when it is
 * equal.
 */
export function processTableName(): string {
  return [hostname(), readText("/proc/sys/kernel/random/boot_id"), readLink("/proc/self/ns/pid")].join("|");
}

/** When a process started, as its system counts; empty where the system does not tell or there is no such process. */
export function processStart(pid: number): string {
  const status = readText(`/proc/${pid}/stat`);
  // The command's name, in parentheses, may hold spaces; the start time is the 20th field behind it.
  const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
  return fields[19] ?? "";
}

/** True only when the process is certainly gone: its id is free, or belongs to one that started at another time. */
export function isProcessGone(process: {
  readonly host: string;
  readonly pid: number;
  readonly processStart: string;
}): boolean {
  if (process.host !== processTableName()) return false;
  try {
    globalThis.process.kill(process.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  const status = readText(`/proc/${process.pid}/stat`);
  const isZombie = /\) Z /.test(status);
  return isZombie || (process.processStart !== "" && processStart(process.pid) !== process.processStart);
}

/** The engine that held an attempt is gone, or has fallen silent for longer than its lease. */
export function isLost({ leaseExpired, owner }: ForeignAttempt): boolean {
  return leaseExpired || owner?.stopped === true || (owner !== undefined && isProcessGone(owner));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    // Another system than Linux, or the process has just ended.
    return "";
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
