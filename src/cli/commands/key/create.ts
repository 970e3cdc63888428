import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";
import { keyFile, makeKey, proveKey, readKey } from "../../signing-key.ts";

export const command: Command = {
  usage: "key create [--name LABEL] [--key FILE]",
  summary: "Make your key for signing decisions, and register it",
  description:
    "The private key stays in a file that only you read; with ESTEIRA_KEY_PASSPHRASE it is encrypted. A key that is there is registered again. Act as yourself with ESTEIRA_TOKEN.",
  options: {
    ...commonOptions,
    name: { type: "string", value: "LABEL", help: "What key list shows; default: none." },
    key: { type: "string", value: "FILE", help: "Where it is kept; default: ~/.config/esteira/keys/USER.pem." },
  },
  examples: [{ line: "ESTEIRA_TOKEN=est_… esteira key create --name laptop", does: "Once for every reviewer" }],
  positionals: { least: 0, most: 0 },
  run: (context, options) =>
    withProject(context, options, async ({ call, identity }) => {
      const { terminal, settings } = context;
      const file = textOption(options, "key") ?? keyFile(settings, identity.name);
      const key = (await readKey(file, settings.keyPassphrase)) ?? (await makeKey(file, settings.keyPassphrase));
      const label = textOption(options, "name");
      const registered = await call("registerKey", {
        body: {
          publicKey: key.publicKey,
          proof: proveKey(key, identity.name),
          ...(label === undefined ? {} : { label }),
        },
      });
      if (options["json"] === true) return terminal.printJson({ ...registered, file });
      terminal.print(
        `${terminal.style("green", "✔")} ${terminal.say("keyCreated", { id: registered.id, user: registered.user, file })}`,
      );
    }),
};
