import { rotateSecrets } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withAccess } from "../../session.ts";

export const command: Command = {
  usage: "secrets rotate [--json]",
  summary: "Seal every secret of the store with a new key",
  description:
    "Makes a key, puts it first in ~/.config/esteira/secrets.key and seals all secrets with it; earlier keys stay there for backups. Where ESTEIRA_SECRETS_KEY holds the keys, put the new one before the old one, with a comma, and run this. Servers that run need no restart, unless they have the keys from the environment.",
  options: commonOptions,
  examples: [{ line: "esteira secrets rotate", does: "After somebody may have seen the key" }],
  positionals: { least: 0, most: 0 },
  run: (context, options) =>
    withAccess(context, options, async ({ platform, assertAdministrator }) => {
      // The database holds the secrets of every project.
      assertAdministrator("*");
      const { terminal, settings } = context;
      const sealed = await rotateSecrets(platform, settings);
      if (options["json"] === true) return terminal.printJson({ sealed });
      terminal.print(`${terminal.style("green", "✔")} ${terminal.say("secretsSealed", { count: sealed })}`);
    }),
};
