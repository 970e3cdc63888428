import type { RecipeChange, RecipeDifference } from "#api";
import type { Terminal } from "../../terminal.ts";

/** What differs, below the name of each step. */
export function printRecipe(terminal: Terminal, { before, after, changes }: RecipeDifference): void {
  if (before !== undefined) terminal.print(`${terminal.style("red", "-")} ${before.label} ${before.digest}`);
  terminal.print(`${terminal.style("green", "+")} ${after.label} ${after.digest}`);
  for (const [step, of] of Map.groupBy(changes, (change) => change.step)) {
    terminal.print(terminal.style("bold", step));
    printChanges(terminal, of, "  ");
  }
  if (changes.length === 0) terminal.print("No difference.");
}

/** Parts of one step's recipe, each with what it was and is. */
export function printChanges(terminal: Terminal, changes: readonly RecipeChange[], indent: string): void {
  for (const { part, name, before, after } of changes) {
    terminal.print(`${indent}${part} ${name}`);
    if (before !== undefined) terminal.print(terminal.style("red", `${indent}  - ${before}`));
    if (after !== undefined) terminal.print(terminal.style("green", `${indent}  + ${after}`));
  }
}
