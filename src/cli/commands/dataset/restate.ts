import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";
import { watch } from "../pipeline/run.ts";

export const command: Command = {
  usage: "dataset restate NAME [--from DATE] [--to DATE] [--full]",
  summary: "Fill intervals of an incremental dataset again",
  description:
    "Runs the step that makes it. The rows of the intervals are replaced in one version; others stay as they are. The span is widened to whole intervals. A run fills what is missing, and rows that came late, by itself.",
  options: {
    ...commonOptions,
    from: { type: "string", value: "DATE", help: "2024-01-31, or a date with a time; UTC. Default: from its start." },
    to: { type: "string", value: "DATE", help: "The first moment that stays. Default: to its end." },
    full: { type: "boolean", help: "Make the whole dataset anew." },
  },
  examples: [
    {
      line: "esteira dataset restate daily --from 2024-01-01 --to 2024-02-01",
      does: "Fills January 2024 again, and leaves the rest",
    },
    { line: "esteira dataset restate daily --full", does: "Makes the dataset anew from its inputs" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async (session) => {
      const [from, to] = [textOption(options, "from"), textOption(options, "to")];
      const full = options["full"] === true;
      if (!full && from === undefined && to === undefined)
        throw usageWrong({ usage: command.usage, reason: "Which part? Say --from, --to, or --full for all of it." });
      const body = {
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(full ? { full } : {}),
      };
      const { id, restated } = await session.call("restateDataset", { params: { name }, body });
      const asJson = options["json"] === true;
      if (!asJson) context.terminal.note(context.terminal.say("restating", { dataset: name, span: restated }));
      return watch(session, context, { id, asJson });
    }),
};
