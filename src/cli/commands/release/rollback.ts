import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "rollback ASSET --environment NAME [--to RELEASE]",
  summary: "Deploy the release before, or a given one",
  options: {
    ...commonOptions,
    environment: { type: "string", value: "NAME", help: "Where." },
    to: { type: "string", value: "RELEASE", help: "Id of the release to go back to; default: the one before." },
    reason: { type: "string", value: "TEXT", help: "Why; goes into the record." },
  },
  examples: [
    {
      line: "esteira rollback delay --environment production",
      does: "The version before answers again; code and models alike",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [asset = ""]) =>
    withProject(context, options, async ({ call }) => {
      const environment = textOption(options, "environment");
      if (environment === undefined)
        throw usageWrong({ usage: command.usage, reason: "Which environment? Name it with --environment" });
      const { id } = await call("rollBack", {
        body: { environment, asset, to: textOption(options, "to"), reason: textOption(options, "reason") },
      });
      if (options["json"] === true) context.terminal.printJson({ release: id });
      else
        context.terminal.print(
          context.terminal.style("green", `✔ ${asset} in ${environment} runs release ${id} again.`),
        );
    }),
};
