import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "backfill pause ID",
  summary: "Begin no more partitions of a backfill; what is at work ends",
  options: commonOptions,
  examples: [
    { line: "esteira backfill pause 01JXAMPLE", does: "Begin no more partitions of a backfill; what is at work ends" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      await call("pauseBackfill", { params: { id } });
      if (options["json"] === true) context.terminal.printJson(await call("getBackfill", { params: { id } }));
      else context.terminal.print(`✔ Backfill ${id} is paused.`);
    }),
};
