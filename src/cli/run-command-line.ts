import { parseArgs } from "node:util";
import { isEsteiraError, messageOf, nearestName } from "#base";
import { readSettings } from "#config";
import { type Command, type CommandContext, type OptionValues } from "./command.ts";
import { commands } from "./commands.ts";
import { commandUnknown, usageWrong } from "./errors.ts";
import { commandHelp, overviewHelp } from "./help.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

const EXIT_USAGE = 2;
const EXIT_FAILED = 1;
const EXIT_INTERRUPTED = 130;

/**
 * Runs one command line of `esteira`.
 *
 * @param words what follows `esteira`
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted
 */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const settings = readSettings();
  const terminal = createTerminal({
    output: process.stdout,
    errors: process.stderr,
    color: settings.color,
    language: settings.language,
  });
  const wantsJson = ownWords(words).includes("--json");
  // A reader that has seen enough (`| head`) closes the pipe: that is no error of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosedPipe);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  process.once("SIGTERM", onInterrupt);
  try {
    const context = { terminal, settings, workingFolder: process.cwd(), signal: interrupt.signal };
    const code = await dispatch(words, context);
    return interrupt.signal.aborted && code === 0 && !words.includes("up") && words[0] !== "up"
      ? EXIT_INTERRUPTED
      : code;
  } catch (error) {
    terminal.printError(error, wantsJson);
    return isEsteiraError(error, "CLI_USAGE_WRONG") || isEsteiraError(error, "CLI_COMMAND_UNKNOWN")
      ? EXIT_USAGE
      : EXIT_FAILED;
  } finally {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onInterrupt);
  }
}

/** What stands behind `--` is for another program. */
function ownWords(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return end === -1 ? words : words.slice(0, end);
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

async function dispatch(words: readonly string[], context: CommandContext): Promise<number> {
  const { terminal } = context;
  const [first = "help"] = words;
  if (["help", "--help", "-h"].includes(first)) {
    terminal.print(overviewHelp(terminal));
    return 0;
  }
  const name = [words.slice(0, 2).join(" "), first].find((candidate) => candidate in commands);
  if (name === undefined) return explainGroup(words, first, terminal);
  const rest = words.slice(name.split(" ").length);
  const { command } = (await commands[name]?.load()) ?? {};
  if (command === undefined) throw commandUnknown({ found: name, nearest: undefined });
  if (ownWords(rest).some((word) => word === "--help" || word === "-h")) {
    terminal.print(commandHelp(command, terminal));
    return 0;
  }
  const { values, positionals } = parseWords(command, rest, terminal);
  return (await command.run(context, values, positionals)) ?? 0;
}

/** The commands that begin with a word, as `esteira dataset`; it is no command by itself. */
function explainGroup(words: readonly string[], first: string, terminal: Terminal): number {
  const names = Object.keys(commands);
  if (!names.some((known) => known.startsWith(`${first} `)))
    throw commandUnknown({ found: words.slice(0, 2).join(" "), nearest: nearestName(first, names) });
  terminal.print(overviewHelp(terminal, first));
  return words.length > 1 && !words.includes("--help") ? EXIT_USAGE : 0;
}

function parseWords(
  command: Command,
  words: readonly string[],
  terminal: Terminal,
): { values: OptionValues; positionals: readonly string[] } {
  const refuse = (reason: string): Error => usageWrong({ usage: command.usage, reason });
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: { ...command.options },
      allowPositionals: true,
      strict: true,
    });
    const { least, most } = command.positionals ?? { least: 0, most: 0 };
    if (positionals.length < least) throw refuse(`Something is missing: ${command.usage}`);
    if (positionals.length > most) throw refuse(`Too many words: ${positionals.slice(most).join(" ")}`);
    return { values: values as OptionValues, positionals };
  } catch (error) {
    if (isEsteiraError(error)) throw error;
    void terminal;
    const unknown = /Unknown option '(--?[^']+)'/.exec(messageOf(error))?.[1];
    if (unknown === undefined) throw refuse(messageOf(error));
    const nearest = nearestName(unknown.replace(/^-+/, ""), Object.keys(command.options));
    throw refuse(`There is no option ${unknown}${nearest === undefined ? "" : `; did you mean --${nearest}?`}`);
  }
}
