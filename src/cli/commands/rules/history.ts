import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "rules history ENVIRONMENT",
  summary: "Show which rules protected an environment when",
  options: commonOptions,
  examples: [{ line: "esteira rules history production", does: "Every change, with who made it and who agreed" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const { history } = await call("getEnvironmentRules", { params: { name } });
      if (options["json"] === true) return terminal.printJson(history);
      if (history.length === 0) return terminal.print(terminal.say("nothingYet"));
      for (const { number, change, actor, atMs, approvedBy, changes, digest } of history) {
        const agreed =
          approvedBy.length === 0 ? "" : `, ${terminal.say("rulesAgreed", { people: approvedBy.join(", ") })}`;
        terminal.print(
          `${terminal.style("bold", `${number} ${change}`)} ${formatTime(atMs)} ${actor}${agreed} ${digest}`,
        );
        for (const { rule, before, after } of changes)
          terminal.print(`  ${rule}: ${before === undefined ? "" : `${before} → `}${after}`);
      }
    }),
};
