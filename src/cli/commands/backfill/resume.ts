import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { watchBackfill } from "./backfill-view.ts";

export const command: Command = {
  usage: "backfill resume ID",
  summary: "Go on with a backfill that was paused or interrupted",
  options: commonOptions,
  examples: [{ line: "esteira backfill resume 01JXAMPLE", does: "Makes what is left of it" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async (session) => {
      await session.platform.registerProject(session.identity.name);
      await session.call("resumeBackfill", { params: { id } });
      return watchBackfill(session, context, { id, asJson: options["json"] === true });
    }),
};
