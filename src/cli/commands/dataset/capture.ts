import { type Command, commonOptions, textOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";
import { watch } from "../pipeline/run.ts";

export const command: Command = {
  usage: "capture DATASET --again FILE",
  summary: "Capture files again that are captured already",
  description:
    "Runs the step that captures them. The rows that the file brought before are superseded in the same version. With `--again all` the dataset is made anew from all files that are there. A new or changed file needs neither: the next run reads it.",
  options: {
    ...commonOptions,
    again: {
      type: "string",
      multiple: true,
      value: "FILE",
      help: "A file as the log names it; may be repeated. `all`: every file.",
    },
  },
  examples: [
    {
      line: "esteira capture raw_orders --again data/orders-03.csv",
      does: "Reads this file once more, under the contract as it is now",
    },
    {
      line: "esteira capture raw_orders --again all",
      does: "Makes the dataset anew, in one version, from the files that are there",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async (session) => {
      const files = textOptions(options, "again");
      if (files.length === 0)
        throw usageWrong({
          usage: command.usage,
          reason: "Which files? Name them with --again. New and changed ones come in with: esteira run PIPELINE",
        });
      const body = files.includes("all") ? { all: true } : { files };
      const { id } = await session.call("captureAgain", { params: { name }, body });
      return watch(session, context, { id, asJson: options["json"] === true });
    }),
};
