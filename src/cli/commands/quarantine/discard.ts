import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "quarantine discard DATASET --reason TEXT [--rule RULE] [--source FILE]",
  summary: "Give quarantined rows up, with a reason",
  description:
    "Nothing is deleted: the rows stay listed as discarded, with the reason and the person. A file that was held back whole is not tried again by later runs.",
  options: {
    ...commonOptions,
    reason: { type: "string", value: "TEXT", help: "Why; goes into the record." },
    rule: {
      type: "string",
      value: "RULE",
      help: "Only rows that broke this rule; `file`: files that are held back whole.",
    },
    source: { type: "string", value: "FILE", help: "Only what came from this file." },
  },
  examples: [
    {
      line: 'esteira quarantine discard raw_orders --rule minimum:amount --reason "test orders"',
      does: "Every open row that broke this rule",
    },
    {
      line: 'esteira quarantine discard raw_orders --source data/orders-02.csv --reason "sent by mistake"',
      does: "What is open of one file",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const reason = textOption(options, "reason") ?? "";
      if (reason.trim() === "") throw usageWrong({ usage: command.usage, reason: "Why? Say it with --reason" });
      const result = await call("discardQuarantine", {
        params: { name },
        body: { reason, rule: textOption(options, "rule"), source: textOption(options, "source") },
      });
      if (options["json"] === true) terminal.printJson(result);
      else terminal.print(terminal.say("discarded", { count: result.discarded, files: result.files }));
    }),
};
