import type { Command } from "../../command.ts";
import { changeRole, roleOptions } from "../../user-role.ts";

export const command: Command = {
  usage: "user revoke USER [--project NAME]",
  summary: "Take away a user's role in a project",
  description: "The user and its tokens stay. The last administrator of every project must stay one.",
  options: roleOptions,
  examples: [
    { line: "esteira user revoke rui", does: "rui holds no role in this project any more" },
    { line: "esteira user revoke ana --project '*'", does: "ana keeps the roles she holds in single projects" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [user = ""]) => changeRole(context, options, { user, role: undefined, usage: command.usage }),
};
