import { createUserWithToken } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { withAccess } from "../../session.ts";

export const command: Command = {
  usage: "user create NAME [--role ROLE]",
  summary: "Create a user and its first token",
  description:
    "The first user becomes administrator. Roles: viewer, contributor, reviewer, admin. With ESTEIRA_TOKEN, its owner must administer the project. From then on callers need a token (Authorization: Bearer …), except what access.loopback in esteira.yaml allows on this machine.",
  options: {
    ...commonOptions,
    role: { type: "string", value: "ROLE", help: "Role in this project; default contributor." },
  },
  examples: [
    { line: "esteira user create ana --role admin", does: "Prints the token, once" },
    {
      line: "esteira user create ana --role admin --store /data/tracking",
      does: "The same for a store without a project",
    },
    { line: "esteira user create rui --role reviewer", does: "Somebody who may approve what others made" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withAccess(context, options, async ({ platform, identity, assertAdministrator }) => {
      assertAdministrator();
      const { terminal } = context;
      const { user, token } = await createUserWithToken(platform, {
        name,
        role: textOption(options, "role") ?? "contributor",
        actor: identity.name,
      });
      if (options["json"] === true) return terminal.printJson({ name: user.name, roles: user.grants, token });
      terminal.print(
        `${terminal.style("green", "✔")} ${user.name}: ${user.grants.map(({ project, role }) => `${role} in ${project}`).join(", ")}`,
      );
      const role = textOption(options, "role");
      if (role !== undefined && !user.grants.some((grant) => grant.role === role))
        terminal.print(terminal.say("firstIsAdmin", { role }));
      terminal.print(terminal.say("tokenOnce", { token }));
    }),
};
