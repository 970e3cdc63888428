import { type Command, commonOptions } from "../../command.ts";
import { withAccess } from "../../session.ts";

export const command: Command = {
  usage: "user list",
  summary: "List users and roles",
  options: commonOptions,
  examples: [{ line: "esteira user list", does: "Names, kinds and roles; never a secret" }],
  run: (context, options) =>
    withAccess(context, options, async ({ platform }) => {
      const { terminal } = context;
      const users = await platform.access.users({ limit: 1000 });
      if (options["json"] === true) return terminal.printJson(users);
      if (users.length === 0) return terminal.print("No user exists: on this machine everybody is administrator. Create one: esteira user create NAME");
      terminal.table([["USER", "KIND", "ROLES"], ...users.map((user) => [user.name, user.kind, user.grants.map(({ project, role }) => `${role} in ${project}`).join(", ")])]);
    }),
};
