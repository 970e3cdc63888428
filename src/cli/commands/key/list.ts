import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "key list",
  summary: "List the keys that decisions are signed with",
  options: commonOptions,
  examples: [{ line: "esteira key list", does: "Every key, with its owner" }],
  positionals: { least: 0, most: 0 },
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const { items, more } = await call("listKeys");
      if (options["json"] === true) return terminal.printJson(items);
      if (items.length === 0) return terminal.print(terminal.say("keysNone"));
      terminal.table([
        ["USER", "NAME", "MADE", "REVOKED", "KEY"],
        ...items.map((key) => [
          key.user,
          key.label,
          formatTime(key.createdAtMs),
          key.revokedAtMs === undefined ? "" : formatTime(key.revokedAtMs),
          key.id,
        ]),
      ]);
      if (more) terminal.note(terminal.say("keysMore", { count: items.length }));
    }),
};
