import { lintProject } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "lint",
  summary: "Check every file of the project without running anything",
  options: commonOptions,
  examples: [{ line: "esteira lint --json", does: "Every mistake with file, line, column, message and hint" }],
  run: (context, options) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const { problems, pipelines } = await lintProject(platform);
      if (options["json"] === true) terminal.printJson({ problems });
      else {
        for (const { file, line, column, message, hint } of problems) {
          terminal.print(`${terminal.style("bold", `${file}:${line}:${column}`)}  ${message}${hint === undefined ? "" : `\n    ${terminal.style("cyan", hint)}`}`);
        }
        terminal.print(problems.length === 0 ? terminal.style("green", `✔ ${pipelines} pipelines, no mistakes`) : terminal.style("red", `✖ ${problems.length} ${problems.length === 1 ? "mistake" : "mistakes"}`));
      }
      return problems.length === 0 ? 0 : 1;
    }),
};
