import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "approval revoke ID [--comment TEXT]",
  summary: "Take back an approval or a refusal",
  description:
    "Who gave it may, and an administrator. What runs with it goes on and is reported as an alert; nothing new passes.",
  options: { ...commonOptions, comment: { type: "string", value: "TEXT", help: "Why." } },
  examples: [{ line: "esteira approval revoke 01J… --comment leak", does: "The id is in approval list --json" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const comment = textOption(options, "comment");
      const revoked = await call("revokeApproval", {
        params: { id },
        body: comment === undefined ? {} : { comment },
      });
      if (options["json"] === true) return terminal.printJson(revoked);
      terminal.print(`${terminal.style("green", "✔")} ${terminal.say("approvalRevoked", { id })}`);
    }),
};
