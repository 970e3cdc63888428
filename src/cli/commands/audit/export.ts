import { exportEvents } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withAccess } from "../../session.ts";

const USAGE = "audit export [--since DATE]";

export const command: Command = {
  usage: USAGE,
  summary: "Print the event log with what proves it, one JSON object a line",
  description:
    "The first line holds the hashes of the events that were left out, then each line an event as the log signs it, the last line the signed checkpoint: from them anybody computes the root that was signed.",
  options: {
    project: commonOptions.project,
    store: commonOptions.store,
    since: { type: "string", value: "DATE", help: "Only from this time on: 2026-11-23 or 2026-11-23T17:40:00Z." },
  },
  examples: [
    { line: "esteira audit export", does: "Keeps the whole log elsewhere" },
    { line: "esteira audit export --since 2026-11-01", does: "Prints the events of this month" },
  ],
  run(context, options) {
    const text = textOption(options, "since");
    const since = text === undefined ? undefined : Date.parse(text);
    if (Number.isNaN(since)) throw usageWrong({ usage: USAGE, reason: `--since is ${text}; expected a date` });
    return withAccess(context, options, async ({ platform, assertAdministrator }) => {
      assertAdministrator("*");
      for await (const line of await exportEvents(platform, { since })) context.terminal.print(JSON.stringify(line));
    });
  },
};
