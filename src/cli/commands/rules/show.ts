import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { printChange } from "./print-change.ts";

export const command: Command = {
  usage: "rules show ENVIRONMENT",
  summary: "Show what protects an environment",
  description:
    "The rules in force: esteira.yaml raises them at once, and lowers them with the approvals that they ask for.",
  options: commonOptions,
  examples: [{ line: "esteira rules show production", does: "The rules in force, and what waits to lower them" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const found = await call("getEnvironmentRules", { params: { name } });
      if (options["json"] === true) return terminal.printJson(found);
      terminal.table([["RULE", "IN FORCE"], ...found.rules.map(({ rule, value }) => [rule, value])]);
      terminal.print(found.digest);
      if (found.lowered.length > 0) printChange(terminal, found);
    }),
};
