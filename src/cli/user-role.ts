import type { Role } from "#app";
import { PROJECT_NAME } from "#config";
import { type CommandContext, type CommandOption, commonOptions, type OptionValues, textOption } from "./command.ts";
import { usageWrong } from "./errors.ts";
import { withAccess } from "./session.ts";

const EVERY_PROJECT = "*";

/**
 * Options of `user grant` and `user revoke`: `--project` names where the role holds; the project opened is the one the
 * user stands in.
 */
export const roleOptions: Readonly<Record<string, CommandOption>> = {
  json: commonOptions.json,
  store: commonOptions.store,
  project: {
    type: "string",
    value: "NAME",
    help: "Name of the project in which the role holds, or '*' for every project; default: this one.",
  },
};

/**
 * Gives a user a role in a project, or takes away the one held there, and prints what the user holds now.
 *
 * @param change.role undefined takes it away
 * @throws CLI_USAGE_WRONG, ACCESS_DENIED, ACCESS_USER_MISSING, ACCESS_ROLE_INVALID, ACCESS_GRANT_MISSING,
 *   ACCESS_LAST_ADMINISTRATOR
 */
export async function changeRole(
  context: CommandContext,
  options: OptionValues,
  change: { readonly user: string; readonly role: string | undefined; readonly usage: string },
): Promise<void> {
  const { terminal } = context;
  const { user, role, usage } = change;
  const named = textOption(options, "project");
  if (named !== undefined && named !== EVERY_PROJECT && !PROJECT_NAME.test(named)) {
    throw usageWrong({
      usage,
      reason: `--project is ${JSON.stringify(named)}; expected a project's name as in its esteira.yaml, or '*' for every project. A folder is not named here: run the command in it`,
    });
  }
  await withAccess(context, { ...options, project: undefined }, async ({ platform, identity, assertAdministrator }) => {
    const project = named ?? platform.project;
    assertAdministrator(project);
    const { name, grants } = await platform.access.grant({
      user,
      project,
      role: role as Role | undefined,
      actor: identity.name,
    });
    if (options["json"] === true) return terminal.printJson({ name, roles: grants });
    const roles = grants
      .map((grant) => terminal.say("roleHeld", { role: grant.role, project: grant.project }))
      .join(", ");
    terminal.print(`${terminal.style("green", "✔")} ${name}: ${roles === "" ? terminal.say("roleNone") : roles}`);
  });
}
