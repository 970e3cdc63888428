import { findWorkflows, workflowUnknown } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { isCalled, printable } from "./printable.ts";

type Found = Awaited<ReturnType<typeof findWorkflows>>[number];

export const command: Command = {
  usage: "workflow check [WORKFLOW] [--strict]",
  summary: "Say what of the GitHub workflows cannot run here, and where it stands",
  description:
    "Nothing is run. Jobs for another system or for GitHub alone are left out, and named. Exit code 1: a workflow has mistakes or cannot run here; with --strict also when something is left out.",
  options: {
    ...commonOptions,
    strict: { type: "boolean", help: "What is left out counts as a problem." },
  },
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
      const isStrict = options["strict"] === true;
      const isBad = ({ problems, leftOut }: Found): boolean => problems.length + (isStrict ? leftOut.length : 0) > 0;
      const code = found.some(isBad) ? 1 : 0;
      if (options["json"] === true) {
        terminal.printJson(found.map(printable));
        return code;
      }
      if (found.length === 0) terminal.print(terminal.say("noWorkflows"));
      for (const one of found) {
        const sign = isBad(one) ? terminal.style("red", "✖") : terminal.style("green", "✔");
        terminal.print(
          `${sign} ${terminal.style("bold", one.file)}  ${one.name}  ${terminal.say(`workflow_${one.state}`)}`,
        );
        for (const [list, style, behind] of [
          [one.problems, "red", ""],
          [one.leftOut, isStrict ? "red" : "yellow", `: ${terminal.say("workflowLeftOut")}`],
          [one.warnings, "yellow", ""],
        ] as const)
          for (const { file, line, column, message, hint } of list)
            terminal.print(
              `  ${terminal.style(style, `${file}:${line}:${column}`)}  ${message}${behind}${hint === undefined ? "" : `\n    ${terminal.style("cyan", hint)}`}`,
            );
      }
      const missing = [...new Set(found.flatMap((one) => one.missing))].toSorted();
      if (missing.length > 0) {
        terminal.print(terminal.say("workflowMissing"));
        for (const repository of missing) terminal.print(`  ${repository}`);
      }
      return code;
    }),
};
