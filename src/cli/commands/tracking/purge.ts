import { purgeTracking } from "#app";
import { artifactOptions, readArtifactPlaces } from "../../artifact-root.ts";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { openFor } from "../../session.ts";

const DAY_MS = 24 * 3600 * 1000;

export const command: Command = {
  usage: "purge [--older-than DAYS] [--yes]",
  summary: "Remove deleted runs and experiments for good, with their artifacts",
  description:
    "Without --yes it only says what would go. What a registered model was made from stays, however long ago it was deleted.",
  options: {
    ...commonOptions,
    "older-than": {
      type: "string",
      value: "DAYS",
      help: "Only what was deleted this many days ago or longer; default 30.",
    },
    ...artifactOptions,
    yes: { type: "boolean", help: "Really remove." },
  },
  examples: [
    { line: "esteira purge", does: "Says what would go" },
    { line: "esteira purge --older-than 7 --yes", does: "Removes what was deleted a week ago or longer" },
  ],
  async run(context, options) {
    const { terminal, signal, settings, workingFolder } = context;
    const days = Number(textOption(options, "older-than") ?? "30");
    if (!(days >= 0))
      throw usageWrong({
        reason: `--older-than is ${textOption(options, "older-than")}, expected a number of days`,
        usage: command.usage,
      });
    const artifacts = readArtifactPlaces(options, { workingFolder, usage: command.usage });
    const platform = await openFor(context, options, { storeOnlyAllowed: true, artifacts });
    try {
      const report = await purgeTracking(platform, {
        actor: settings.user,
        retentionMs: days * DAY_MS,
        dryRun: options["yes"] !== true,
        signal,
      });
      if (options["json"] === true) return terminal.printJson(report);
      terminal.table([
        ["", options["yes"] === true ? "REMOVED" : "WOULD GO (--yes removes)"],
        ["runs", String(report.runs)],
        ["logged models", String(report.loggedModels)],
        ["experiments", String(report.experiments)],
        ["unfinished uploads", String(report.uploads)],
      ]);
      for (const { kind, id, usedBy } of report.kept)
        terminal.print(
          `${terminal.style("yellow", "!")} ${kind} ${id} stays: registered model ${usedBy} was made from it`,
        );
    } finally {
      await platform.close();
    }
  },
};
