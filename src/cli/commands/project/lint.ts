import { lintProject, lintWithoutConfig } from "#app";
import type { LocatedProblem } from "#base";
import { findProjectFolder } from "#config";
import { type Command, commonOptions, type CommandContext, type OptionValues, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export const command: Command = {
  usage: "lint",
  summary: "Check every file of the project without running anything",
  description:
    "Reads esteira.yaml, pipelines with the SQL and notebooks they name, contracts, features, dashboards and monitors. Exit code 1: there are mistakes.",
  options: commonOptions,
  examples: [{ line: "esteira lint --json", does: "Every mistake with file, line, column, message and hint" }],
  async run(context, options) {
    const { terminal } = context;
    const { problems, notices, pipelines } = await lint(context, options);
    if (options["json"] === true) terminal.printJson({ problems, ...(notices.length === 0 ? {} : { notices }) });
    else {
      printNotices(terminal, notices);
      printProblems(terminal, problems, pipelines);
    }
    return problems.length === 0 ? 0 : 1;
  },
};

async function lint(
  context: CommandContext,
  options: OptionValues,
): Promise<{
  readonly problems: readonly LocatedProblem[];
  readonly notices: readonly LocatedProblem[];
  readonly pipelines: number;
}> {
  try {
    return await withProject(context, options, ({ platform }) => lintProject(platform));
  } catch (error) {
    const problems = await lintWithoutConfig(
      await findProjectFolder(textOption(options, "project") ?? context.workingFolder),
      error,
    );
    if (problems === undefined) throw error;
    context.terminal.note(context.terminal.say("lintWithoutConfig"));
    return { problems, notices: [], pipelines: 0 };
  }
}

function printNotices(terminal: Terminal, notices: readonly LocatedProblem[]): void {
  if (notices.length === 0) return;
  for (const { file, line, column, message, hint } of notices)
    terminal.print(
      `${terminal.style("yellow", `${file}:${line}:${column}`)}  ${message}${hint === undefined ? "" : `\n    ${terminal.style("cyan", hint)}`}`,
    );
  terminal.print(terminal.style("yellow", `! ${terminal.say("lintNotices", { count: notices.length })}`));
}

function printProblems(terminal: Terminal, problems: readonly LocatedProblem[], pipelines: number): void {
  for (const { file, line, column, message, hint } of problems) {
    terminal.print(
      `${terminal.style("bold", `${file}:${line}:${column}`)}  ${message}${hint === undefined ? "" : `\n    ${terminal.style("cyan", hint)}`}`,
    );
  }
  const count = problems.length;
  terminal.print(
    count === 0
      ? terminal.style("green", `✔ ${terminal.say("lintClean", { count: pipelines })}`)
      : terminal.style("red", `✖ ${terminal.say("lintMistakes", { count })}`),
  );
}
