import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";
import { backfillOptions, readBackfill, startBackfill } from "./start-backfill.ts";

export const command: Command = {
  usage: "backfill PIPELINE [--from P] [--to P] [--partition P] [--all] [--failed] [--dry-run] [--max-parallel N]",
  summary: "Make the partitions of a pipeline that lack or are stale",
  description:
    "Without --all, only partitions are made that never were, or not of the declaration, code and inputs that are there now. What is done is kept when it is interrupted. Go on with: esteira backfill resume ID",
  options: {
    ...commonOptions,
    from: { type: "string", value: "PARTITION", help: "The first one, or a date in it; default: the first there is." },
    to: { type: "string", value: "PARTITION", help: "The last one, included; default: the newest that is over." },
    partition: {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "One partition, all of a time or key, FIRST..LAST, or a list: A,B,C; may be repeated.",
    },
    ...backfillOptions,
    failed: { type: "boolean", help: "Only those whose newest run failed or was cancelled." },
  },
  examples: [
    { line: "esteira backfill flights --dry-run", does: "What lacks, and how long it would take" },
    { line: "esteira backfill flights --from 2026-01-01 --to 2026-01-31", does: "Makes what lacks of a month" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [pipeline = ""]) =>
    withProject(context, options, async (session) => {
      const body = readBackfill(options, command.usage);
      return startBackfill(session, context, {
        pipeline,
        body: { ...body, from: textOption(options, "from"), to: textOption(options, "to") },
        asJson: options["json"] === true,
        isDryRun: options["dry-run"] === true,
      });
    }),
};
