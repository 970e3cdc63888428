import { type Command, commonOptions } from "../../command.ts";
import { listAll } from "../../list-all.ts";
import { withProject } from "../../session.ts";
import { lineOf } from "./backfill-view.ts";

const MOST_SHOWN = 50;

export const command: Command = {
  usage: "backfill show ID",
  summary: "Show how far a backfill is, and what failed of it",
  options: commonOptions,
  examples: [
    { line: "esteira backfill show 01JXAMPLE", does: "Its partitions that failed, were cancelled or are at work" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const backfill = await call("getBackfill", { params: { id } });
      const partitions = await listAll((query) => call("listBackfillPartitions", { params: { id }, query }));
      if (options["json"] === true) return terminal.printJson({ ...backfill, partitions });
      terminal.print(`${backfill.pipeline}  ${lineOf(backfill)}`);
      const told = partitions.filter(({ status }) => status !== "succeeded" && status !== "pending");
      if (told.length > 0)
        terminal.table(
          told.slice(0, MOST_SHOWN).map((each) => [`  ${each.partition}`, each.status, each.pipelineRunId ?? ""]),
        );
      if (told.length > MOST_SHOWN) terminal.print(`  … and ${told.length - MOST_SHOWN} more (--json)`);
    }),
};
