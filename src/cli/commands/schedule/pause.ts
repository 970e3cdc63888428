import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "schedule pause PIPELINE",
  summary: "Let no schedule and no sensor start a pipeline",
  options: {
    ...commonOptions,
    reason: { type: "string", value: "TEXT", help: "For whoever wonders." },
  },
  examples: [
    {
      line: "esteira schedule pause nightly",
      does: "Nothing starts it by time or by a look outside; by hand it still runs",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      await call("pausePipeline", { params: { name }, body: { reason: textOption(options, "reason") } });
      if (options["json"] === true) context.terminal.printJson({ pipeline: name, paused: true });
      else
        context.terminal.print(
          `✔ Nothing starts ${name} by time or by a look outside until: esteira schedule resume ${name}.`,
        );
    }),
};
