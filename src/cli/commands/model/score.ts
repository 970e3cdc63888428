import { resolve } from "node:path";
import { isTableFile, scoreWithModel, type TableScored } from "#app";
import { type Command, type CommandContext, commonOptions, textOption, textOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatDuration } from "../../format.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

const EXIT_INTERRUPTED = 130;

export const command: Command = {
  usage: "model score NAME --data FILE|DATASET [--out FILE] [--key COLUMN …] [--version N]",
  summary: "Predict every row of a file or a dataset",
  description:
    "N rows in, N rows out, in their order: the key, prediction, of classes their probability, model and model_version. More rows than fit into memory go to disk. Without --out the rows go to the screen as CSV, or with --json as one JSON object a line.",
  options: {
    ...commonOptions,
    data: {
      type: "string",
      value: "FILE|DATASET",
      help: "A file by the end of its name (.parquet, .csv, .tsv, .ndjson, .json), or a dataset: flights, flights@3.",
    },
    out: {
      type: "string",
      value: "FILE",
      help: "A file that ends in .parquet, .csv or .ndjson; it appears when it is whole.",
    },
    key: {
      type: "string",
      multiple: true,
      value: "COLUMN",
      help: "A column that stands beside the prediction; may be repeated. Without any: the number of the row.",
    },
    version: { type: "string", value: "N", help: "Of the model; default: the latest." },
  },
  examples: [
    {
      line: "esteira model score delay --data today.csv --key id --out scores.parquet",
      does: "Every row of a file, beside its id",
    },
    {
      line: "esteira model score delay --data flights@3 --version 2 --out scores.csv",
      does: "Version 3 of a dataset with version 2 of the model",
    },
    { line: "esteira model score delay --data today.csv --json | head", does: "To the screen, one JSON object a line" },
  ],
  positionals: { least: 1, most: 1 },
  async run(context, options, [name = ""]) {
    const request = readRequest(context, options);
    const { terminal, signal } = context;
    const asJson = options["json"] === true;
    return withProject(context, options, async ({ platform }) => {
      try {
        const scored = await scoreWithModel(platform, {
          ...request,
          model: { name, version: wholeNumber(textOption(options, "version"), "--version") },
          signal,
          report: (line) => terminal.note(terminal.style("dim", line)),
          progress: progressOf(terminal),
          print: printerOf(terminal, asJson),
        });
        terminal.endDrawing();
        tell(terminal, scored, asJson);
        return 0;
      } catch (error) {
        terminal.endDrawing();
        if (!signal.aborted) throw error;
        terminal.note(terminal.say("scoringStopped"));
        return EXIT_INTERRUPTED;
      }
    });
  },
};

function readRequest(
  { workingFolder }: CommandContext,
  options: Parameters<Command["run"]>[1],
): Pick<Parameters<typeof scoreWithModel>[1], "data" | "out" | "keys"> {
  const data = textOption(options, "data");
  if (data === undefined || data === "")
    throw usageWrong({ usage: command.usage, reason: "Which rows? Name a file or a dataset with --data" });
  const out = textOption(options, "out");
  const [, dataset = data, version] = /^(.*?)(?:@([^@/]*))?$/.exec(data) ?? [];
  return {
    data: isTableFile(data)
      ? { file: resolve(workingFolder, data) }
      : { name: dataset, version: wholeNumber(version, "--data NAME@N") },
    out: out === undefined ? undefined : resolve(workingFolder, out),
    keys: textOptions(options, "key"),
  };
}

function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= 1) return value;
  throw usageWrong({
    usage: command.usage,
    reason: `${option}: found ${JSON.stringify(text)}, expected a version, as 3`,
  });
}

const EVERY_MS = 200;

function progressOf(terminal: Terminal): (done: number, total: number) => void {
  const startMs = performance.now();
  let drawnAt = 0;
  return (done, total) => {
    const now = performance.now();
    if (now - drawnAt < EVERY_MS) return;
    drawnAt = now;
    const rate = formatCount(Math.round(done / Math.max((now - startMs) / 1000, 0.001)));
    terminal.draw([terminal.say("scoring", { done: formatCount(done), total: formatCount(total), rate })]);
  };
}

type Printed = Parameters<NonNullable<Parameters<typeof scoreWithModel>[1]["print"]>>[0];

function printerOf(terminal: Terminal, asJson: boolean): (part: Printed) => void {
  let isHeaded = asJson;
  return ({ columns, rows }) => {
    if (!isHeaded) terminal.print(columns.map(quoted).join(","));
    isHeaded = true;
    if (rows.length === 0) return;
    const lines = rows.map((row) =>
      asJson ? JSON.stringify(row) : columns.map((column) => quoted(textOf(row[column]))).join(","),
    );
    terminal.print(lines.join("\n"));
  };
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function quoted(cell: string): string {
  return /[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function tell(terminal: Terminal, scored: TableScored, asJson: boolean): void {
  const { out, rows, model, version, durationMs } = scored;
  if (asJson && out !== undefined) return terminal.printJson(scored);
  const facts = { count: formatCount(rows), model, version, duration: formatDuration(durationMs) };
  const line = terminal.say("scored", facts);
  if (out === undefined) terminal.note(terminal.style("dim", line));
  else terminal.print(`${terminal.style("green", "✔")} ${out}: ${line}`);
}
