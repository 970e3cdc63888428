import type { ReleaseDifference } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatDigest } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "release diff FROM TO",
  summary: "Compare two releases, or what is live in two environments",
  description:
    "FROM and TO are ids of releases or names of environments. Shown are the versions of code, models, features, data and reports that differ, and settings of the deployments.",
  options: commonOptions,
  examples: [
    { line: "esteira release diff production staging", does: "What production would get" },
    { line: "esteira release diff 01JXAMPLE 01JEXAMPLE", does: "What changed from one release to another" },
  ],
  positionals: { least: 2, most: 2 },
  run: (context, options, [from = "", to = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const found = await call("compareReleases", { query: { from, to } });
      if (options["json"] === true) return terminal.printJson(found);
      if (found.differences.length > 0)
        terminal.table([["KIND", "ASSET", "BEFORE", "AFTER", "DIGEST"], ...found.differences.map(rowOf)]);
      if (found.settings.length > 0)
        terminal.table([
          ["ASSET", "SETTING", "BEFORE", "AFTER"],
          ...found.settings.map(({ asset, key, before, after }) => [asset, key, before ?? "–", after ?? "–"]),
        ]);
      const { same } = found;
      if (found.differences.length + found.settings.length === 0)
        terminal.print(terminal.say("releasesSame", { count: same }));
      else terminal.note(terminal.say("releasesAlike", { count: same }));
    }),
};

function rowOf({ kind, asset, before, after }: ReleaseDifference): readonly string[] {
  const versions = (side: ReleaseDifference["after"]): string =>
    side.length === 0 ? "–" : side.map(({ version }) => String(version)).join(", ");
  return [kind, asset, versions(before), versions(after), formatDigest(after[0]?.digest ?? "")];
}
