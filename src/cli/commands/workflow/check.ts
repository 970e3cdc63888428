import { findWorkflows, workflowUnknown } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { isCalled, printable } from "./printable.ts";

export const command: Command = {
  usage: "workflow check [WORKFLOW]",
  summary: "Say what of the GitHub workflows cannot run here, and where it stands",
  description: "Nothing is run. Exit code 1: one of them has mistakes or cannot run here.",
  options: commonOptions,
  examples: [
    { line: "esteira workflow check", does: "All of them" },
    { line: "esteira workflow check ci.yml --json", does: "One, with file, line, column, message and hint" },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [wanted]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const all = await findWorkflows(platform);
      const found = wanted === undefined ? all : all.filter((one) => isCalled(one, wanted));
      if (wanted !== undefined && found.length === 0)
        throw workflowUnknown({ workflow: wanted, known: all.map(({ file }) => file) });
      const code = found.some(({ problems }) => problems.length > 0) ? 1 : 0;
      if (options["json"] === true) {
        terminal.printJson(found.map(printable));
        return code;
      }
      if (found.length === 0) terminal.print(terminal.say("noWorkflows"));
      for (const { file, name, state, problems, warnings } of found) {
        const sign = problems.length > 0 ? terminal.style("red", "✖") : terminal.style("green", "✔");
        terminal.print(`${sign} ${terminal.style("bold", file)}  ${name}  ${terminal.say(`workflow_${state}`)}`);
        for (const [list, style] of [
          [problems, "red"],
          [warnings, "yellow"],
        ] as const)
          for (const { line, column, message, hint } of list)
            terminal.print(
              `  ${terminal.style(style, `${file}:${line}:${column}`)}  ${message}${hint === undefined ? "" : `\n    ${terminal.style("cyan", hint)}`}`,
            );
      }
      return code;
    }),
};
