import { type Command, commonOptions } from "../../command.ts";
import { listAll } from "../../list-all.ts";
import { withAccess } from "../../session.ts";

export const command: Command = {
  usage: "user list",
  summary: "List users and roles",
  options: commonOptions,
  examples: [{ line: "esteira user list", does: "Names, kinds and roles; never a secret" }],
  run: (context, options) =>
    withAccess(context, options, async ({ platform }) => {
      const { terminal } = context;
      const users = await listAll(async ({ limit, after }) => {
        const found = await platform.access.users({ limit: limit + 1, ...(after === undefined ? {} : { after }) });
        const items = found.slice(0, limit);
        const next = found.length > limit ? items.at(-1)?.name : undefined;
        return { items, next };
      });
      if (options["json"] === true) return terminal.printJson(users);
      if (users.length === 0)
        return terminal.print(
          "No user exists: on this machine everybody is administrator. Create one: esteira user create NAME",
        );
      terminal.table([
        ["USER", "KIND", "ROLES"],
        ...users.map((user) => [
          user.name,
          user.kind,
          user.grants.map(({ project, role }) => `${role} in ${project}`).join(", "),
        ]),
      ]);
    }),
};
