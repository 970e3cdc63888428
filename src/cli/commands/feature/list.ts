import { type Command, commonOptions } from "../../command.ts";
import { formatCount, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "feature list",
  summary: "List feature views, how far they are online, and what was pushed to them",
  description:
    "ONLINE is the version of the source whose last values are read online, of its newest version. HELD counts the join keys that have a pushed row which no version of the source has overtaken. WINDOWS says what the features of a view aggregate.",
  options: commonOptions,
  examples: [{ line: "esteira feature list", does: "Every feature view of the project" }],
  positionals: { least: 0, most: 0 },
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const { items } = await call("listFeatureViews", {});
      if (options["json"] === true) return terminal.printJson(items);
      if (items.length === 0) return terminal.print(terminal.say("nothingYet"));
      terminal.table([
        ["VIEW", "SOURCE", "FEATURES", "ONLINE", "PUSH SOURCE", "HELD", "LAST PUSH", "WINDOWS"],
        ...items.map(({ name, source, features, windows, sourceVersion, onlineVersion, push }) => [
          name,
          source,
          formatCount(features.length),
          sourceVersion === undefined ? "–" : `${onlineVersion ?? "–"} of ${sourceVersion}`,
          push?.name ?? "",
          push === undefined ? "" : formatCount(push.held),
          push?.lastAtMs === undefined ? "" : formatTime(push.lastAtMs),
          Object.entries(windows ?? {})
            .map(([feature, text]) => `${feature} = ${text}`)
            .join(", "),
        ]),
      ]);
    }),
};
