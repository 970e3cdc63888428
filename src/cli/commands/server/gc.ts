import { collectPlatformGarbage } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatSize } from "../../format.ts";
import { withAccess } from "../../session.ts";

const UNITS_MS: Readonly<Record<string, number>> = { h: 3600_000, d: 24 * 3600_000, w: 7 * 24 * 3600_000 };
const LEAST_MS = 24 * 3600_000;

export const command: Command = {
  usage: "gc [--dry-run] [--older AGE] [--json]",
  summary: "Remove what nothing names, and what is kept no longer",
  description:
    "Objects that no row of the metadata names, data files that no version of a dataset reads, writes that were never finished; then what `retention` in esteira.yaml keeps no longer. What is younger than --older stays, so that it may run beside everything else. With ESTEIRA_TOKEN, its owner must administer every project.",
  options: {
    ...commonOptions,
    "dry-run": { type: "boolean", help: "Only say what would go; retention is not counted." },
    older: { type: "string", value: "AGE", help: "Only what is older: 24h at least, 10d, 2w. Default 7d." },
  },
  examples: [
    { line: "esteira gc --dry-run", does: "Says what would go" },
    { line: "esteira gc --older 2w", does: "Removes what is older than two weeks" },
  ],
  run(context, options) {
    const { terminal, settings, signal } = context;
    const ageMs = readAge(textOption(options, "older") ?? "7d");
    const dryRun = options["dry-run"] === true;
    return withAccess(context, options, async ({ platform, assertAdministrator }) => {
      // Objects belong to every project.
      assertAdministrator("*");
      const found = await collectPlatformGarbage(platform, { ageMs, dryRun, actor: settings.user, signal });
      if (options["json"] === true) return terminal.printJson({ dryRun, ...found });
      terminal.print(
        terminal.say(dryRun ? "wouldCollect" : "collected", {
          objects: formatCount(found.objects),
          size: formatSize(found.bytes),
          dataFiles: formatCount(found.dataFiles),
          dataSize: formatSize(found.dataBytes),
          unfinished: formatCount(found.unfinished),
        }),
      );
      const { predictions, logs, versions, runs } = found.expired;
      if (predictions + logs + versions + runs > 0)
        terminal.print(
          terminal.say("retained", {
            predictions: formatCount(predictions),
            logs: formatCount(logs),
            versions: formatCount(versions),
            runs: formatCount(runs),
          }),
        );
    });
  },
};

function readAge(text: string): number {
  const [, count, unit = ""] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  const ageMs = Number(count) * (UNITS_MS[unit] ?? NaN);
  if (ageMs >= LEAST_MS) return ageMs;
  throw usageWrong({
    usage: command.usage,
    reason: `--older is ${JSON.stringify(text)}; expected 24h or longer, such as 36h, 10d or 2w: a step that runs may name what is younger`,
  });
}
