import { type NotebookReview, reviewNotebookFile } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import type { Terminal } from "../../terminal.ts";

const MOST_FILES = 1000;

export const command: Command = {
  usage: "notebook check FILE…",
  summary: "Look through notebooks for hidden state and secrets",
  description:
    "Runs nothing. Hidden state: execution counts that do not run from top to bottom, names that are used before or without being defined. Secrets: in sources, outputs and metadata; a cell tagged not-a-secret is passed over. Exit code 1: something was found.",
  options: { json: commonOptions.json },
  examples: [
    { line: "esteira notebook check notebooks/train.ipynb", does: "What a reviewer would ask about, before they do" },
    { line: "esteira notebook check notebooks/*.ipynb --json", does: "For a hook before a commit" },
  ],
  positionals: { least: 1, most: MOST_FILES },
  async run({ terminal, workingFolder }, options, files) {
    const reviews: NotebookReview[] = [];
    for (const file of files) reviews.push(await reviewNotebookFile(workingFolder, file));
    if (options["json"] === true) terminal.printJson(reviews);
    else for (const review of reviews) print(terminal, review);
    return reviews.every(({ hiddenState, secrets }) => hiddenState.length + secrets.length === 0) ? 0 : 1;
  },
};

function print(terminal: Terminal, { file, hiddenState, secrets }: NotebookReview): void {
  if (hiddenState.length + secrets.length === 0) {
    terminal.print(terminal.style("green", `✔ ${file}: no hidden state, no secret`));
    return;
  }
  terminal.print(terminal.style("bold", file));
  for (const { cellIndex, channel, line, column, description } of secrets)
    terminal.print(
      `  ${terminal.style("red", "secret")}  ${cellIndex === undefined ? channel : `cell ${cellIndex + 1}, ${channel}`}, line ${line}, column ${column}: ${description}`,
    );
  for (const { message, rule } of hiddenState)
    terminal.print(`  ${terminal.style("yellow", "hidden state")}  ${message}  ${terminal.style("dim", rule)}`);
}
