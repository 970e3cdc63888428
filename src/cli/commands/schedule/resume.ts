import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "schedule resume PIPELINE",
  summary: "Let schedules and sensors start a pipeline again",
  options: commonOptions,
  examples: [
    {
      line: "esteira schedule resume nightly",
      does: "Ticks of the pause are gone; what sensors would have seen, they see now",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      await call("unpausePipeline", { params: { name } });
      if (options["json"] === true) context.terminal.printJson({ pipeline: name, paused: false });
      else context.terminal.print(`✔ Schedules and sensors start ${name} again.`);
    }),
};
