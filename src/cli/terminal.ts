import type { Writable } from "node:stream";
import { stripVTControlCharacters, styleText } from "node:util";
import { EsteiraError, messageOf } from "#base";
import type { Language } from "#config";
import { type MessageKey, messages } from "./messages/messages.ts";

type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "magenta";

/** What the CLI writes with: results to stdout, progress and errors to stderr. */
export interface Terminal {
  readonly isInteractive: boolean;
  /** A line of the result. */
  print(line?: string): void;
  /** JSON of the result. */
  printJson(value: unknown): void;
  /** A line of progress or advice, on stderr. */
  note(line: string): void;
  /** Replaces the lines drawn last (a live view); plain lines where there is no terminal. */
  draw(lines: readonly string[]): void;
  /** Keeps what was drawn and starts a new view below. */
  endDrawing(): void;
  printError(error: unknown, asJson: boolean): void;
  style(style: Style, text: string): string;
  /** Columns aligned; the first row is the heading. */
  table(rows: readonly (readonly string[])[]): void;
  /**
   * A sentence of the message catalogue, in the user's language; `count` among the facts chooses between one and many.
   */
  say(key: MessageKey, facts?: Readonly<Record<string, string | number>>): string;
}

export interface TerminalOptions {
  readonly output: Writable;
  readonly errors: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly color: boolean;
  readonly language: Language;
}

/** A terminal on two streams. */
export function createTerminal({ output, errors, color, language }: TerminalOptions): Terminal {
  let drawn = 0;
  const isInteractive = errors.isTTY === true;
  const style: Terminal["style"] = (name, text) => (color ? styleText(name, text, { validateStream: false }) : text);
  const catalogue = messages[language];
  const terminal: Terminal = {
    isInteractive,
    style,
    print: (line = "") => void output.write(`${line}\n`),
    printJson: (value) => void output.write(`${JSON.stringify(value, undefined, 2)}\n`),
    note(line) {
      terminal.endDrawing();
      errors.write(`${line}\n`);
    },
    draw(lines) {
      if (!isInteractive) return;
      const width = (errors.columns ?? 80) - 1;
      errors.write(
        `${drawn === 0 ? "" : `\x1b[${drawn}A\x1b[0J`}${lines.map((line) => `${clip(line, width)}\n`).join("")}`,
      );
      drawn = lines.length;
    },
    endDrawing() {
      drawn = 0;
    },
    printError(error, asJson) {
      terminal.endDrawing();
      if (asJson) {
        terminal.printJson({
          error: error instanceof EsteiraError ? error.toJSON() : { code: "CLI_UNEXPECTED", message: messageOf(error) },
        });
        return;
      }
      errors.write(`${style("red", catalogue.error)} ${messageOf(error)}`);
      errors.write(error instanceof EsteiraError ? `  ${style("dim", `[${error.code}]`)}\n` : "\n");
      if (error instanceof EsteiraError && error.hint !== undefined) errors.write(`  ${error.hint}\n`);
      if (!(error instanceof EsteiraError) && error instanceof Error && error.stack !== undefined)
        errors.write(`${style("dim", error.stack)}\n`);
    },
    table(rows) {
      const widths = (rows[0] ?? []).map((_, column) =>
        Math.max(...rows.map((row) => displayWidth(row[column] ?? ""))),
      );
      for (const [index, row] of rows.entries()) {
        const line = row
          .map((cell, column) =>
            column === row.length - 1
              ? cell
              : cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell))),
          )
          .join("  ");
        terminal.print(index === 0 ? style("dim", line) : line);
      }
    },
    say: (key, facts = {}) =>
      formOf(catalogue[key], facts["count"]).replaceAll(/\{(\w+)\}/g, (_match, name: string) =>
        String(facts[name] ?? ""),
      ),
  };
  return terminal;
}

/** The form for one or for many. A count may come formatted: `1,234`. */
function formOf(message: string, count: string | number | undefined): string {
  const [one = "", many = one] = message.split(" || ");
  return String(count) === "1" ? one : many;
}

function displayWidth(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

function clip(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  return `${[...stripVTControlCharacters(line)].slice(0, Math.max(0, width - 1)).join("")}…`;
}
