import { constants } from "node:os";
import type { Readable } from "node:stream";

/** What bubblewrap tells of a sandbox: its first process, and, only when the command ran, how that ended. */
export interface SandboxStatus {
  /** Process of the machine that is the first one inside; leads the group of the command. */
  leader(): number | undefined;
  /** True when the command ran to its end: else what ended was bubblewrap itself. */
  hasRun(): boolean;
}

/** Takes JSON documents, one a line, as `--json-status-fd` gives them. */
export function createSandboxStatus(): SandboxStatus & { readonly take: (text: string) => void } {
  let text = "";
  const find = (key: string): number | undefined => {
    const found = new RegExp(`"${key}": (\\d+)`).exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  return {
    take: (piece) => (text += piece),
    leader: () => find("child-pid"),
    hasRun: () => find("exit-code") !== undefined,
  };
}

/** Reads them from a pipe. */
export function readSandboxStatus(source: Readable): SandboxStatus {
  const status = createSandboxStatus();
  source.setEncoding("utf8");
  source.on("data", (piece: string) => status.take(piece));
  source.on("error", () => {});
  return status;
}

const FATAL = /^SIG(KILL|SEGV|ABRT|BUS|FPE|ILL|TERM|SYS|XCPU|XFSZ|INT|HUP|QUIT|TRAP|PIPE)$/;

/**
 * The signal behind an exit code of bubblewrap, which answers 128 + n for a command that signal n ended, as a shell
 * does. A command that itself exits so means the same nearly always.
 */
export function signalBehind(code: number | null): string | undefined {
  if (code === null || code <= 128) return undefined;
  const found = Object.entries(constants.signals).find(([name, number]) => number === code - 128 && FATAL.test(name));
  return found?.[0];
}
