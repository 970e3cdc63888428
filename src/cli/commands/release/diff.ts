import type { MetricDifference, ReleaseComparison, ReleaseDifference, VersionDifference } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatDigest } from "../../format.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { printChanges } from "../recipe/print-recipe.ts";

const MARKS = { added: "+", removed: "-", changed: "~" } as const;

export const command: Command = {
  usage: "release diff A [B]",
  summary: "Compare two releases, or what is live in two environments",
  description:
    "A and B are ids of releases or names of environments. A alone is compared to what it replaced: a release to the one before it, an environment to what ran before its last change. Shown are the versions of code, models, features, data and reports that differ, the files of code, metrics and parts of the recipe of models, and settings of the deployments.",
  options: commonOptions,
  examples: [
    { line: "esteira release diff production", does: "What the last change of production brought" },
    { line: "esteira release diff production staging", does: "What production would get" },
    { line: "esteira release diff 01JXAMPLE 01JEXAMPLE", does: "What changed from one release to another" },
  ],
  positionals: { least: 1, most: 2 },
  run: (context, options, [first = "", second]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const query = second === undefined ? { to: first } : { from: first, to: second };
      const found = await call("compareReleases", { query });
      if (options["json"] === true) return terminal.printJson(found);
      printComparison(terminal, found);
    }),
};

function printComparison(terminal: Terminal, { differences, settings, same }: ReleaseComparison): void {
  if (differences.length > 0)
    terminal.table([["KIND", "ASSET", "BEFORE", "AFTER", "DIGEST"], ...differences.map(rowOf)]);
  for (const { asset, inside } of differences) if (inside !== undefined) printInside(terminal, asset, inside);
  if (settings.length > 0)
    terminal.table([
      ["ASSET", "SETTING", "BEFORE", "AFTER"],
      ...settings.map(({ asset, key, before, after }) => [asset, key, before ?? "–", after ?? "–"]),
    ]);
  if (differences.length + settings.length === 0) terminal.print(terminal.say("releasesSame", { count: same }));
  else terminal.note(terminal.say("releasesAlike", { count: same }));
}

function rowOf({ kind, asset, before, after }: ReleaseDifference): readonly string[] {
  const versions = (side: ReleaseDifference["after"]): string =>
    side.length === 0 ? "–" : side.map(({ version }) => String(version)).join(", ");
  return [kind, asset, versions(before), versions(after), formatDigest(after[0]?.digest ?? "")];
}

/** What differs between two versions of code or of a model, below its name. */
function printInside(terminal: Terminal, asset: string, inside: VersionDifference): void {
  const { commit, sources = [], sourceCount = 0, files, fileCount, metrics, recipe = [] } = inside;
  if ((commit === undefined ? 0 : 1) + files.length + metrics.length + recipe.length === 0) return;
  terminal.print(terminal.style("bold", asset));
  if (commit !== undefined)
    terminal.print(`  commit ${(commit.before ?? "–").slice(0, 12)} → ${(commit.after ?? "–").slice(0, 12)}`);
  for (const path of sources) terminal.print(`    ${path}`);
  printMore(terminal, sourceCount - sources.length);
  for (const { path, change } of files) terminal.print(`  ${MARKS[change]} ${path}`);
  printMore(terminal, fileCount - files.length);
  for (const metric of metrics) terminal.print(`  ${metricText(metric)}`);
  for (const [step, changes] of Map.groupBy(recipe, (change) => change.step)) {
    terminal.print(`  ${terminal.say("recipeOf", { step })}`);
    printChanges(terminal, changes, "    ");
  }
}

function printMore(terminal: Terminal, count: number): void {
  if (count > 0) terminal.note(terminal.say("furtherFiles", { count }));
}

function metricText({ name, before, after }: MetricDifference): string {
  const text = (value: number | undefined): string =>
    value === undefined ? "–" : String(Number(value.toPrecision(6)));
  return `${name} ${text(before)} → ${text(after)}`;
}
