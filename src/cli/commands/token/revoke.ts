import { type Command, commonOptions } from "../../command.ts";
import { withAccess } from "../../session.ts";

export const command: Command = {
  usage: "token revoke ID",
  summary: "End a token now; nothing can sign in with it any more",
  options: commonOptions,
  examples: [{ line: "esteira token revoke 01JXAMPLE", does: "The id is the one that esteira token list shows" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withAccess(context, options, async ({ platform, identity, assertAdministrator }) => {
      assertAdministrator("*");
      const { terminal } = context;
      await platform.access.revokeToken({ id, actor: identity.name });
      if (options["json"] === true) return terminal.printJson({ id, revoked: true });
      terminal.print(`${terminal.style("green", "✔")} ${terminal.say("tokenRevoked", { id })}`);
    }),
};
