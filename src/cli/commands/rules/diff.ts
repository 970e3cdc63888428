import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { printChange } from "./print-change.ts";

export const command: Command = {
  usage: "rules diff ENVIRONMENT",
  summary: "Show what esteira.yaml asks less for than the rules in force",
  options: commonOptions,
  examples: [{ line: "esteira rules diff production", does: "What a quorum is asked to agree to" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const found = await call("getEnvironmentRules", { params: { name } });
      if (options["json"] === true) return terminal.printJson({ change: found.change, lowered: found.lowered });
      if (found.lowered.length === 0) return terminal.print(terminal.say("rulesSame"));
      printChange(terminal, found);
    }),
};
