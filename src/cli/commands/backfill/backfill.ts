import type { BackfillPreview, NewBackfill } from "#api";
import { type Command, commonOptions, type OptionValues, textOption, textOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatDuration } from "../../format.ts";
import { tellIsolation } from "../../isolation-note.ts";
import { readParams } from "../../params.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { watchBackfill } from "./backfill-view.ts";

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
      help: "One partition, all of a time or key, or FIRST..LAST; may be repeated.",
    },
    all: { type: "boolean", help: "Also those that are as what is there now makes them." },
    failed: { type: "boolean", help: "Only those whose newest run failed or was cancelled." },
    "dry-run": { type: "boolean", help: "Say what would be made, how long that takes and who reads it; make nothing." },
    "max-parallel": { type: "string", value: "N", help: "So many at once, 1 to 100; default 4." },
    "fail-fast": { type: "boolean", help: "Begin no more after the first failure." },
    param: { type: "string", multiple: true, value: "NAME=VALUE", help: "A param of the pipeline; may be repeated." },
  },
  examples: [
    { line: "esteira backfill flights --dry-run", does: "What lacks, and how long it would take" },
    { line: "esteira backfill flights --from 2026-01-01 --to 2026-01-31", does: "Makes what lacks of a month" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [pipeline = ""]) =>
    withProject(context, options, async (session) => {
      const { terminal } = context;
      const { call, platform, identity } = session;
      const body = readRequest(options);
      const asJson = options["json"] === true;
      if (options["dry-run"] !== true) {
        await platform.registerProject(identity.name);
        await tellIsolation(terminal, platform);
        const { id } = await call("createBackfill", { params: { name: pipeline }, body });
        if (!asJson) terminal.note(`Backfill ${id} of ${pipeline}`);
        return watchBackfill(session, context, { id, asJson });
      }
      const preview = await call("previewBackfill", { params: { name: pipeline }, body });
      if (asJson) return terminal.printJson(preview);
      printPreview(terminal, preview, body.maxParallel ?? 4);
    }),
};

function readRequest(options: OptionValues): NewBackfill {
  const given = textOption(options, "max-parallel");
  const maxParallel = given === undefined ? undefined : Number(given);
  if (maxParallel !== undefined && !(Number.isInteger(maxParallel) && maxParallel >= 1 && maxParallel <= 100))
    throw usageWrong({ usage: command.usage, reason: `--max-parallel ${given ?? ""}: expected 1 to 100` });
  const partitions = textOptions(options, "partition");
  return {
    ...(partitions.length === 0 ? {} : { partitions }),
    from: textOption(options, "from"),
    to: textOption(options, "to"),
    all: options["all"] === true,
    failed: options["failed"] === true,
    failFast: options["fail-fast"] === true,
    maxParallel,
    params: readParams(textOptions(options, "param"), command.usage),
  };
}

function printPreview(terminal: Terminal, preview: BackfillPreview, maxParallel: number): void {
  const { partitionCount: count, leftOut, medianMs, downstream, partitions } = preview;
  terminal.print(`${formatCount(count)} to be made, ${formatCount(leftOut)} left out`);
  if (count > 0) terminal.print(`  ${partitions[0] ?? ""}${count > 1 ? ` … ${partitions.at(-1) ?? ""}` : ""}`);
  if (medianMs !== undefined && count > 0)
    terminal.print(
      `  about ${formatDuration(medianMs)} each, ${formatDuration((medianMs * count) / Math.min(maxParallel, count))} in all`,
    );
  for (const { asset, pipeline, step } of downstream) terminal.print(`  ${asset} is read by ${step} of ${pipeline}`);
}
