import type { Log } from "#base";
import type { Terminal } from "./terminal.ts";

/** Warnings and errors of the platform's own parts, as lines on stderr. */
export function operatorLog(terminal: Terminal): Log {
  const write = (level: "yellow" | "red", message: string, facts?: object): void => {
    terminal.note(
      `${terminal.style(level, level === "red" ? "error" : "warning")} ${message}${facts === undefined ? "" : ` ${terminal.style("dim", JSON.stringify(facts))}`}`,
    );
  };
  return {
    debug() {},
    info() {},
    warn: (message, facts) => write("yellow", message, facts),
    error: (message, facts) => write("red", message, facts),
  };
}
