import type { ParseArgsConfig } from "node:util";
import type { Settings } from "#config";
import type { Terminal } from "./terminal.ts";

type OptionConfig = NonNullable<ParseArgsConfig["options"]>[string];

/** One option, with what `--help` says of it. */
export type CommandOption = OptionConfig & {
  readonly help: string;
  /** Name of its value in the usage line. */
  readonly value?: string;
};

/** What a command runs with. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly settings: Settings;
  /** Folder the user stands in. */
  readonly workingFolder: string;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}

export type OptionValues = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

/** One command: `commands/<noun>/<verb>.ts` exports it as `command`. */
export interface Command {
  /** After `esteira `: `run PIPELINE`. */
  readonly usage: string;
  /** One sentence. */
  readonly summary: string;
  /** Anything else a newcomer needs. */
  readonly description?: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Command lines that work, with what they do. */
  readonly examples: readonly { readonly line: string; readonly does: string }[];
  /** How many words may follow; default none. */
  readonly positionals?: { readonly least: number; readonly most: number };
  /** @returns the exit code; default 0 */
  run(context: CommandContext, options: OptionValues, positionals: readonly string[]): Promise<number | void>;
}

/** The text of an option, or undefined when it was not given. */
export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** All texts of an option that may be repeated. */
export function textOptions(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Options that most commands share. */
export const commonOptions = {
  json: { type: "boolean", help: "Write JSON for machines." },
  project: { type: "string", value: "FOLDER", help: "The project; default: the nearest folder with an esteira.yaml." },
  store: { type: "string", value: "DIR", help: "The store's folder; default: what esteira.yaml says, or .esteira." },
} as const satisfies Record<string, CommandOption>;
