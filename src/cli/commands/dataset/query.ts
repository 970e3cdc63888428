import { mkdir, readFile, writeFile } from "node:fs/promises";
import { text as readText } from "node:stream/consumers";
import { dirname, resolve } from "node:path";
import type { QueryAnswer } from "#api";
import { messageOf } from "#base";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";

const FORMATS = ["table", "csv", "json"] as const;
const LARGEST = 100_000;

export const command: Command = {
  usage: 'query "SELECT …" [--file FILE] [--limit N] [--format table|csv|json] [--output FILE]',
  summary: "Ask the datasets in SQL",
  description:
    'A table is a dataset by name: flights is its latest version, "flights@3" version 3. DuckDB\'s SQL; nothing can be changed with it.',
  options: {
    ...commonOptions,
    file: { type: "string", value: "FILE", help: "Read the query from a file; - is the standard input." },
    limit: { type: "string", value: "N", help: "Rows to show, at most 100000; default 100." },
    format: { type: "string", value: "FORMAT", help: "table (default), csv or json." },
    output: { type: "string", value: "FILE", help: "Write to a file instead of the screen." },
  },
  examples: [
    { line: 'esteira query "SELECT count(*) FROM flights"', does: "One figure" },
    { line: "esteira query --file late.sql --format csv --output late.csv", does: "A query of a file, as CSV" },
    {
      line: `esteira query 'SELECT * FROM flights EXCEPT SELECT * FROM "flights@1"'`,
      does: "Rows that version 1 did not have",
    },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [written]) => {
    const { terminal } = context;
    const file = textOption(options, "file");
    if ((written === undefined) === (file === undefined))
      throw usageWrong({ usage: command.usage, reason: "expected a query in quotes, or --file" });
    const format = options["json"] === true ? "json" : (textOption(options, "format") ?? "table");
    if (!isFormat(format))
      throw usageWrong({ usage: command.usage, reason: `--format is ${format}; expected ${FORMATS.join(", ")}` });
    const limit = toLimit(textOption(options, "limit") ?? "100");
    const output = textOption(options, "output");
    return withProject(context, options, async ({ call }) => {
      const sql = written ?? (await readQuery(context.workingFolder, file ?? "-"));
      const answer = await call("queryDatasets", { body: { sql, limit } });
      if (output !== undefined) {
        await writeAnswer(context.workingFolder, output, format === "json" ? toJson(answer) : toCsv(answer));
      } else if (format === "json") return terminal.printJson(answer);
      else if (format === "csv") terminal.print(toCsv(answer).trimEnd());
      else terminal.table([answer.columns.map(({ name }) => name), ...answer.rows.map((row) => row.map(toText))]);
      const count = formatCount(answer.rows.length);
      terminal.note(terminal.style("dim", terminal.say(answer.truncated ? "rowsCut" : "rowsOfQuery", { count })));
    });
  },
};

async function readQuery(folder: string, file: string): Promise<string> {
  if (file === "-") return readText(process.stdin);
  return readFile(resolve(folder, file), "utf8").catch((error: unknown) => {
    throw usageWrong({ usage: command.usage, reason: `--file ${file} cannot be read: ${messageOf(error)}` });
  });
}

/** Folders that are named and not there are made. */
async function writeAnswer(folder: string, output: string, text: string): Promise<void> {
  const path = resolve(folder, output);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  } catch (error) {
    throw usageWrong({ usage: command.usage, reason: `--output ${output} cannot be written: ${messageOf(error)}` });
  }
}

function isFormat(format: string): format is (typeof FORMATS)[number] {
  return (FORMATS as readonly string[]).includes(format);
}

function toLimit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= LARGEST) return value;
  throw usageWrong({
    usage: command.usage,
    reason: `--limit is ${JSON.stringify(text)}; expected a whole number from 1 to ${LARGEST}`,
  });
}

function toText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function toCsv({ columns, rows }: QueryAnswer): string {
  const lines = [columns.map(({ name }) => name), ...rows.map((row) => row.map(toText))];
  return `${lines.map((line) => line.map(quoted).join(",")).join("\n")}\n`;
}

function quoted(cell: string): string {
  return /[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function toJson(answer: QueryAnswer): string {
  return `${JSON.stringify(answer, null, 2)}\n`;
}
