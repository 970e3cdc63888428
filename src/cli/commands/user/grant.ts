import type { Command } from "../../command.ts";
import { changeRole, roleOptions } from "../../user-role.ts";

export const command: Command = {
  usage: "user grant USER ROLE [--project NAME]",
  summary: "Give a user a role in a project",
  description:
    "Roles: viewer, contributor, reviewer, admin; each may do what the one before it may. A user holds one role in a project: the new one replaces it. With ESTEIRA_TOKEN, its owner must administer that project.",
  options: roleOptions,
  examples: [
    { line: "esteira user grant rui reviewer", does: "rui may approve in this project what others made" },
    { line: "esteira user grant ana admin --project '*'", does: "ana administers every project of the store" },
  ],
  positionals: { least: 2, most: 2 },
  run: (context, options, [user = "", role = ""]) => changeRole(context, options, { user, role, usage: command.usage }),
};
