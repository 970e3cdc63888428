import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatTime } from "../../format.ts";
import { withAccess } from "../../session.ts";

const DAY_MS = 24 * 3600 * 1000;
const LONGEST_DAYS = 3650;

export const command: Command = {
  usage: "token create USER [--name LABEL] [--expires DAYS] [--only ACTION]",
  summary: "Create a token for a user; it is shown once",
  description:
    "Programs send it as ESTEIRA_TOKEN or MLFLOW_TRACKING_TOKEN. It may do what the user may do. Only a digest of it is kept: a lost token is revoked and replaced. With ESTEIRA_TOKEN, its owner must administer every project.",
  options: {
    ...commonOptions,
    name: { type: "string", value: "LABEL", help: "What it is for, as token list shows it; default: none." },
    expires: {
      type: "string",
      value: "DAYS",
      help: `It ends after this many days, at most ${LONGEST_DAYS}; default: never.`,
    },
    only: {
      type: "string",
      value: "ACTION",
      help: "It allows this alone, predict, push, read or work, whatever the user's role; default: all that the user may do.",
    },
  },
  examples: [
    { line: "esteira token create ana --name laptop", does: "Prints the token, once" },
    { line: "esteira token create deployer --name ci --expires 90", does: "A token that ends by itself" },
    {
      line: "esteira token create shop --only predict",
      does: "For a program that asks endpoints and does nothing else",
    },
    { line: "esteira token create gpu-room --only work", does: "For workers on other machines" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [user = ""]) => {
    const days = readDays(textOption(options, "expires"));
    return withAccess(context, options, async ({ platform, identity, assertAdministrator }) => {
      assertAdministrator("*");
      const { terminal } = context;
      const expiry = days === undefined ? {} : { expiresAtMs: platform.clock.now() + days * DAY_MS };
      const only = textOption(options, "only");
      const { id, label, expiresAtMs, token } = await platform.access.createToken({
        user,
        label: textOption(options, "name") ?? "",
        ...expiry,
        ...(only === undefined ? {} : { only }),
        actor: identity.name,
      });
      if (options["json"] === true) return terminal.printJson({ id, user, label, expiresAtMs, only, token });
      terminal.print(
        `${terminal.style("green", "✔")} ${terminal.say("tokenCreated", { id, user })}${expiresAtMs === undefined ? "" : ` ${terminal.say("tokenEnds", { at: formatTime(expiresAtMs) })}`}`,
      );
      terminal.print(terminal.say("tokenOnce", { token }));
    });
  },
};

function readDays(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= LONGEST_DAYS) return days;
  throw usageWrong({
    usage: command.usage,
    reason: `--expires is ${JSON.stringify(text)}; expected a whole number of days from 1 to ${LONGEST_DAYS}`,
  });
}
