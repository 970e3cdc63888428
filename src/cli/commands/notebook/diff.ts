import { compareNotebookFiles, type NotebookComparison } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import type { Terminal } from "../../terminal.ts";

type CellChange = NotebookComparison["changes"][number];

const SIGNS = { added: "+", removed: "-", changed: "~", moved: "↕", same: " " } as const;

export const command: Command = {
  usage: "notebook diff BEFORE AFTER",
  summary: "Compare two notebooks cell by cell",
  description:
    "Cells are paired by their ids, then by what is in them; outputs are told apart, because they never count for an approval. Exit code 1: the source differs, so an approval of the one is none of the other.",
  options: { json: commonOptions.json },
  examples: [
    {
      line: "esteira notebook diff old/train.ipynb notebooks/train.ipynb",
      does: "Cells added, removed, changed, moved",
    },
    {
      line: "esteira notebook diff /tmp/approved.ipynb train.ipynb --json",
      does: "For a machine: each cell before and after, with the lines that differ",
    },
  ],
  positionals: { least: 2, most: 2 },
  async run({ terminal, workingFolder }, options, [before = "", after = ""]) {
    const compared = await compareNotebookFiles(workingFolder, before, after);
    if (options["json"] === true) terminal.printJson(compared);
    else print(terminal, compared);
    return compared.changesSource ? 1 : 0;
  },
};

function print(terminal: Terminal, { changes, changesSource }: NotebookComparison): void {
  for (const change of changes) if (isShown(change)) printChange(terminal, change);
  terminal.print(
    changesSource
      ? "The source differs: an approval of the one is none of the other."
      : terminal.style("green", "✔ The source is the same; at most outputs differ."),
  );
}

function isShown({ kind, moved, outputsChanged }: CellChange): boolean {
  return kind !== "same" || moved || outputsChanged;
}

function printChange(terminal: Terminal, change: CellChange): void {
  const { kind, before, after, lines, tagsChanged, typeChanged, outputsChanged, moved } = change;
  const place = [
    before === undefined ? undefined : `cell ${before.index + 1}`,
    after === undefined ? undefined : `now cell ${after.index + 1}`,
  ].filter((part) => part !== undefined);
  const also = [
    moved && kind !== "moved" ? "moved" : undefined,
    tagsChanged ? "tags" : undefined,
    typeChanged ? "type" : undefined,
    outputsChanged ? "outputs" : undefined,
  ].filter((part) => part !== undefined);
  const what = kind === "same" ? "source the same" : kind;
  terminal.print(
    terminal.style(
      "bold",
      `${SIGNS[kind]} ${place.join(", ")}: ${what}${also.length === 0 ? "" : ` (${also.join(", ")})`}`,
    ),
  );
  for (const { kind: line, text } of lines) {
    if (line === "added") terminal.print(terminal.style("green", `    + ${text}`));
    if (line === "removed") terminal.print(terminal.style("red", `    - ${text}`));
  }
}
