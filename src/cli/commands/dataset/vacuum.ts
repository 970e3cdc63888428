import { vacuumProjectDatasets } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatSize } from "../../format.ts";
import { withProject } from "../../session.ts";

const HOUR_MS = 3600 * 1000;

export const command: Command = {
  usage: "dataset vacuum [NAME] [--retention HOURS] [--dry-run]",
  summary: "Remove data files that no version of a dataset refers to",
  description:
    "Writers that died or failed leave such files. Every version stays readable, and so do the files of a write that is at work.",
  options: {
    ...commonOptions,
    retention: { type: "string", value: "HOURS", help: "Keep files younger than this; default 168, one week." },
    "dry-run": { type: "boolean", help: "Only say what would go." },
  },
  examples: [
    { line: "esteira dataset vacuum --dry-run", does: "Says what would go of every dataset" },
    {
      line: "esteira dataset vacuum flights --retention 24",
      does: "Removes what is left over in flights and older than a day",
    },
  ],
  positionals: { least: 0, most: 1 },
  run(context, options, [dataset]) {
    const { terminal, signal } = context;
    const retentionMs = readHours(textOption(options, "retention"));
    const dryRun = options["dry-run"] === true;
    return withProject(context, options, async ({ platform }) => {
      const vacuumed = await vacuumProjectDatasets(platform, { dataset, retentionMs, dryRun, signal });
      if (options["json"] === true) return terminal.printJson(vacuumed);
      if (vacuumed.length === 0) return terminal.print(terminal.say("nothingYet"));
      terminal.table([
        [terminal.say("dataset"), terminal.say("files"), terminal.say("size")],
        ...vacuumed.map(({ dataset: name, removed, sizeBytes }) => [
          name,
          formatCount(removed.length),
          formatSize(sizeBytes),
        ]),
      ]);
      terminal.note(
        terminal.style(
          "dim",
          terminal.say(dryRun ? "vacuumWould" : "vacuumed", {
            count: vacuumed.reduce((count, { removed }) => count + removed.length, 0),
          }),
        ),
      );
    });
  },
};

function readHours(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const hours = Number(text);
  if (text.trim() !== "" && Number.isFinite(hours) && hours >= 0) return hours * HOUR_MS;
  throw usageWrong({
    usage: command.usage,
    reason: `--retention is ${JSON.stringify(text)}; expected a number of hours, 0 or more`,
  });
}
