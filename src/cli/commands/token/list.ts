import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withAccess } from "../../session.ts";

export const command: Command = {
  usage: "token list",
  summary: "List tokens: whose, what for, when last used; never a secret",
  options: commonOptions,
  examples: [{ line: "esteira token list", does: "Newest first, with what ended and why" }],
  run: (context, options) =>
    withAccess(context, options, async ({ platform, assertAdministrator }) => {
      assertAdministrator("*");
      const { terminal } = context;
      const tokens = await platform.access.tokens();
      if (options["json"] === true) return terminal.printJson(tokens);
      if (tokens.length === 0) return terminal.print(terminal.say("noTokens"));
      const nowMs = platform.clock.now();
      terminal.table([
        [
          "ID",
          terminal.say("user"),
          terminal.say("label"),
          terminal.say("status"),
          terminal.say("made"),
          terminal.say("lastUsed"),
          terminal.say("ends"),
        ],
        ...tokens.map((token) => [
          token.id,
          token.user,
          token.label,
          terminal.say(
            token.revokedAtMs !== undefined
              ? "tokenIsRevoked"
              : (token.expiresAtMs ?? Infinity) <= nowMs
                ? "tokenIsExpired"
                : "tokenIsValid",
          ),
          formatTime(token.createdAtMs),
          token.lastUsedAtMs === undefined ? "" : formatTime(token.lastUsedAtMs),
          token.expiresAtMs === undefined ? "" : formatTime(token.expiresAtMs),
        ]),
      ]);
    }),
};
