import { replayDataset } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "quarantine replay DATASET",
  summary: "Check quarantined rows again and publish those that hold now",
  description:
    "Uses the contract as it is now. Rows that pass become a new version of the dataset, once; the others stay, with a note. Nothing is deleted.",
  options: commonOptions,
  examples: [
    {
      line: "esteira quarantine replay raw_flights",
      does: "After the contract was corrected; a corrected file comes in with the next run",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ platform, identity }) => {
      const { terminal } = context;
      await platform.registerProject(identity.name);
      const result = await replayDataset(platform, { dataset: name, actor: identity.name });
      if (options["json"] === true) terminal.printJson(result);
      else
        terminal.print(
          terminal.say("replayed", { count: formatCount(result.replayed), held: formatCount(result.held) }),
        );
    }),
};
