import { type Command, commonOptions } from "../../command.ts";
import { formatSize, formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "endpoint compact",
  summary: "Move predictions out of the metadata database now",
  description:
    "New predictions lie in the metadata database; a server moves them into a Delta table per endpoint, by day, when there are many or an hour old. This does it now. What was moved is read, listed, labelled and watched as before.",
  options: commonOptions,
  examples: [
    { line: "esteira endpoint compact", does: "Moves the predictions of every endpoint" },
    { line: "esteira endpoint compact --json", does: "The same, with the folders of the tables, for Delta's readers" },
  ],
  positionals: { least: 0, most: 0 },
  run: (context, options) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal, signal } = context;
      const { predictions, project, tableFiles } = platform;
      const moved = await predictions.move({ project, ageMs: 0, signal });
      const shown = moved
        .filter(({ rows }) => rows > 0)
        .map((endpoint) => ({ ...endpoint, table: `${tableFiles.place}/${endpoint.folder}` }));
      if (options["json"] === true) return terminal.printJson(shown);
      if (shown.length === 0) return terminal.print(terminal.say("nothingYet"));
      terminal.table([
        ["ENVIRONMENT", "ENDPOINT", "MOVED", "IN TABLE", "FILES", "SIZE"],
        ...shown.map(({ environment, endpoint, moved: count, rows, files, sizeBytes }) => [
          environment,
          endpoint,
          formatCount(count),
          formatCount(rows),
          formatCount(files),
          formatSize(sizeBytes),
        ]),
      ]);
    }),
};
