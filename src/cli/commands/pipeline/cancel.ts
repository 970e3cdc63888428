import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "cancel RUN",
  summary: "Cancel a pipeline run and end its processes",
  options: commonOptions,
  examples: [
    { line: "esteira cancel 01JXAMPLE", does: "Steps that run get SIGTERM, then SIGKILL after the grace period" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      await call("cancelPipelineRun", { params: { id } });
      if (options["json"] === true) context.terminal.printJson({ id, status: "cancelled" });
      else context.terminal.print(context.terminal.say("cancelled", { id }));
    }),
};
