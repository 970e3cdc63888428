import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

/** `esteira --help`: every command in one line each; of one noun when `noun` is given. */
export function overviewHelp(terminal: Terminal, noun?: string): string {
  const shown = Object.entries(commands).filter(([name]) => noun === undefined || name.startsWith(`${noun} `));
  const width = Math.max(...shown.map(([name]) => name.length));
  return [
    `${terminal.style("bold", "esteira")}  ${terminal.say("tagline")}`,
    "",
    terminal.style("bold", terminal.say("commands")),
    ...shown.map(([name, { summary }]) => `  ${terminal.style("cyan", name.padEnd(width))}  ${summary}`),
    "",
    terminal.say("helpFooter"),
  ].join("\n");
}

/** `esteira COMMAND --help`. */
export function commandHelp(command: Command, terminal: Terminal): string {
  const options = Object.entries(command.options).map(([name, option]) => {
    const short = option.short === undefined ? "    " : `-${option.short}, `;
    const value = option.type === "string" ? ` ${option.value ?? "VALUE"}` : "";
    return [`${short}--${name}${value}`, option.help] as const;
  });
  const width = Math.max(...options.map(([left]) => left.length), 0);
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", terminal.style("bold", title), ...lines.map((line) => `  ${line}`)];
  return [
    command.summary,
    ...section(terminal.say("usage"), [`esteira ${command.usage}`]),
    ...(command.description === undefined ? [] : ["", command.description]),
    ...section(
      terminal.say("options"),
      options.map(([left, help]) => `${left.padEnd(width)}  ${help}`),
    ),
    ...section(
      terminal.say("examples"),
      command.examples.flatMap(({ line, does }) => [terminal.style("cyan", line), `    ${does}`]),
    ),
  ].join("\n");
}
