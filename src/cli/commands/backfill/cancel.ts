import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "backfill cancel ID",
  summary: "End a backfill and its runs; what is made stays",
  options: commonOptions,
  examples: [{ line: "esteira backfill cancel 01JXAMPLE", does: "End a backfill and its runs; what is made stays" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      await call("cancelBackfill", { params: { id } });
      if (options["json"] === true) context.terminal.printJson(await call("getBackfill", { params: { id } }));
      else context.terminal.print(`✔ Backfill ${id} is cancelled.`);
    }),
};
