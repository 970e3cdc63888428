import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";
import { lineOf } from "./backfill-view.ts";

export const command: Command = {
  usage: "backfill list",
  summary: "List backfills, the newest first",
  options: commonOptions,
  examples: [{ line: "esteira backfill list", does: "The newest 50, and how far each is" }],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { items } = await call("listBackfills", { query: { limit: 50 } });
      if (options["json"] === true) return context.terminal.printJson(items);
      if (items.length === 0) return context.terminal.print("There are no backfills.");
      context.terminal.table(items.map((each) => [each.id, each.pipeline, lineOf(each), formatTime(each.createdAtMs)]));
    }),
};
