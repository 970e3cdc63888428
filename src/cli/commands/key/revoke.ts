import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "key revoke KEY",
  summary: "End a key: what was signed with it counts no more",
  description: "Its owner may, and an administrator of every project.",
  options: commonOptions,
  examples: [{ line: "esteira key revoke 3f1c…", does: "After a laptop was lost" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const revoked = await call("revokeKey", { params: { id } });
      if (options["json"] === true) return terminal.printJson(revoked);
      terminal.print(`${terminal.style("green", "✔")} ${terminal.say("keyRevoked", { id })}`);
    }),
};
