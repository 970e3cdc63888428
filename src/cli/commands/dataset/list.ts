import { type Command, commonOptions } from "../../command.ts";
import { formatCount, formatTime } from "../../format.ts";
import { listAll } from "../../list-all.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "dataset list",
  summary: "List datasets with versions, rows and quarantine",
  options: commonOptions,
  examples: [{ line: "esteira dataset list --json", does: "The same as GET /api/v1/datasets" }],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const items = await listAll((page) => call("listDatasets", { query: page }));
      if (options["json"] === true) return terminal.printJson(items);
      if (items.length === 0) return terminal.print(terminal.say("nothingYet"));
      terminal.table([
        ["DATASET", "VERSION", "ROWS", "QUARANTINED", "MADE", "BY"],
        ...items.map((dataset) => [
          dataset.name,
          String(dataset.latestVersion),
          dataset.rowCount === undefined ? "" : formatCount(dataset.rowCount),
          dataset.quarantinedCount === 0 ? "" : formatCount(dataset.quarantinedCount),
          formatTime(dataset.madeAtMs),
          dataset.producedBy === undefined ? "" : `${dataset.producedBy.pipeline}/${dataset.producedBy.step}`,
        ]),
      ]);
    }),
};
