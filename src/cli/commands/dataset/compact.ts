import { compactProjectDatasets } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "dataset compact [NAME]",
  summary: "Write the small files of a dataset as one",
  description:
    "Many small files are slow to read. A write compacts by itself when there are more than 64; this does it now. No version is made, every version keeps its rows and stays readable.",
  options: commonOptions,
  examples: [
    { line: "esteira dataset compact flights", does: "Compacts flights" },
    { line: "esteira dataset compact", does: "Compacts every dataset" },
  ],
  positionals: { least: 0, most: 1 },
  run(context, options, [dataset]) {
    const { terminal, signal } = context;
    return withProject(context, options, async ({ platform }) => {
      const compacted = await compactProjectDatasets(platform, { dataset, signal });
      if (options["json"] === true) return terminal.printJson(compacted);
      if (compacted.length === 0) return terminal.print(terminal.say("nothingYet"));
      terminal.table([
        [terminal.say("dataset"), terminal.say("filesBefore"), terminal.say("filesAfter")],
        ...compacted.map(({ dataset: name, filesBefore, filesAfter }) => [
          name,
          formatCount(filesBefore),
          formatCount(filesAfter),
        ]),
      ]);
      for (const { dataset: name, isUnfinished } of compacted)
        if (isUnfinished) terminal.note(terminal.say("compactLater", { dataset: name }));
    });
  },
};
