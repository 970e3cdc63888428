import { visibleText } from "#base";
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
  for (const { part, name, before, after, lines } of changes) {
    terminal.print(`${indent}${part} ${visibleText(name)}`);
    if (lines !== undefined) {
      for (const line of lines.split("\n")) terminal.print(`${indent}  ${colour(terminal, line)}`);
      continue;
    }
    if (before !== undefined) terminal.print(terminal.style("red", `${indent}  - ${visibleText(before)}`));
    if (after !== undefined) terminal.print(terminal.style("green", `${indent}  + ${visibleText(after)}`));
  }
}

function colour(terminal: Terminal, line: string): string {
  const of = { "-": "red", "+": "green", "@": "cyan" } as const;
  const first = line.charAt(0);
  return first === "-" || first === "+" || first === "@" ? terminal.style(of[first], line) : line;
}
