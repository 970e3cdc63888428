import type { EnvironmentRules } from "#api";
import type { Terminal } from "../../terminal.ts";

/** What the file asks less for, and how it comes into force. */
export function printChange(terminal: Terminal, { environment, lowered, change }: EnvironmentRules): void {
  for (const { rule, before, after } of lowered) {
    terminal.print(terminal.style("bold", rule));
    if (before !== undefined) terminal.print(terminal.style("red", `  - ${before}`));
    terminal.print(terminal.style("green", `  + ${after}`));
  }
  if (change === undefined) return terminal.print(terminal.say("rulesNotAsked"));
  terminal.print(terminal.say("rulesWait", { digest: change, environment }));
}
