import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "dataset restore NAME --version N",
  summary: "Give a dataset the content of an earlier version again",
  description:
    "Makes a new version; the ones between stay. Captured files whose rows are not in it stay out until they change, or are captured again. A dropped dataset comes back.",
  options: { ...commonOptions, version: { type: "string", value: "N", help: "The version whose content comes back." } },
  examples: [
    {
      line: "esteira dataset restore raw_orders --version 3",
      does: "A new version with the rows and columns of version 3",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const version = Number(textOption(options, "version") ?? "");
      if (!Number.isInteger(version) || version < 1)
        throw usageWrong({
          usage: command.usage,
          reason:
            "Which version? Name it with --version, a whole number from 1. See them with: esteira dataset show NAME --version N",
        });
      const result = await call("restoreDataset", { params: { name }, body: { version } });
      if (options["json"] === true) terminal.printJson(result);
      else
        terminal.print(
          terminal.say(result.restored ? "restored" : "restoredAlready", {
            dataset: name,
            version: result.version,
            from: version,
          }),
        );
    }),
};
