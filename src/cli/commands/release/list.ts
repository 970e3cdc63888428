import { type Command, commonOptions, textOption } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { listAll } from "../../list-all.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "release list [--environment NAME] [--asset NAME]",
  summary: "List releases of an environment",
  options: {
    ...commonOptions,
    environment: { type: "string", value: "NAME", help: "Only this environment." },
    asset: { type: "string", value: "NAME", help: "Only releases of this asset." },
  },
  examples: [
    {
      line: "esteira release list --environment production",
      does: "What was deployed when, by whom, and what became of it",
    },
  ],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const items = await listAll((page) =>
        call("listReleases", {
          query: { ...page, environment: textOption(options, "environment"), asset: textOption(options, "asset") },
        }),
      );
      if (options["json"] === true) return terminal.printJson(items);
      if (items.length === 0) return terminal.print("Nothing was deployed yet.");
      terminal.table([
        ["ENVIRONMENT", "ASSET", "VERSION", "STATUS", "AT", "BY", "RELEASE"],
        ...items.map((release) => [
          release.environment,
          release.asset,
          String(release.items.find(({ role }) => role === "deployed")?.version ?? ""),
          release.isRollback ? `${release.status} (rollback)` : release.status,
          formatTime(release.atMs),
          release.actor,
          release.id,
        ]),
      ]);
    }),
};
