import type { RecipeDifference } from "#api";
import type { Terminal } from "../../terminal.ts";

/** What differs, below the name of each step. */
export function printRecipe(terminal: Terminal, { before, after, changes }: RecipeDifference): void {
  if (before !== undefined) terminal.print(`${terminal.style("red", "-")} ${before.label} ${before.digest}`);
  terminal.print(`${terminal.style("green", "+")} ${after.label} ${after.digest}`);
  for (const [step, of] of Map.groupBy(changes, (change) => change.step)) {
    terminal.print(terminal.style("bold", step));
    for (const { part, name, before: was, after: is } of of) {
      terminal.print(`  ${part} ${name}`);
      if (was !== undefined) terminal.print(terminal.style("red", `    - ${was}`));
      if (is !== undefined) terminal.print(terminal.style("green", `    + ${is}`));
    }
  }
  if (changes.length === 0) terminal.print("No difference.");
}
