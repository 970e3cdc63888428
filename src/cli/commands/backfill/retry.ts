import { type Command, commonOptions, textOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { watchBackfill } from "./backfill-view.ts";

export const command: Command = {
  usage: "backfill retry ID [--partition P]",
  summary: "Run what failed or was cancelled of a backfill again",
  options: {
    ...commonOptions,
    partition: { type: "string", multiple: true, value: "NAME", help: "Only this one; may be repeated." },
  },
  examples: [{ line: "esteira backfill retry 01JXAMPLE --partition 2026-01-31", does: "Makes one day of it again" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async (session) => {
      await session.platform.registerProject(session.identity.name);
      const partitions = textOptions(options, "partition");
      await session.call("retryBackfill", { params: { id }, body: partitions.length === 0 ? {} : { partitions } });
      return watchBackfill(session, context, { id, asJson: options["json"] === true });
    }),
};
