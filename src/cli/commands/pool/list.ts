import type { WorkHolder } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";
import { holderText } from "../../wait-text.ts";

export const command: Command = {
  usage: "pool list",
  summary: "List pools with who holds their slots and how many wait",
  options: commonOptions,
  examples: [{ line: "esteira pool list", does: "Slots in use, who holds them since when, and how many steps wait" }],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { pools } = await call("listPools", {});
      const { terminal } = context;
      if (options["json"] === true) return terminal.printJson(pools);
      if (pools.length === 0)
        return terminal.print("There are no pools. Declare one in esteira.yaml: pools: { warehouse: 3 }");
      terminal.table([
        ["pool", "slots in use", "waiting", "held by", "since"],
        ...pools.flatMap(({ name, used, slots, waiting, holders }) => {
          const [first, ...rest] = holders.map(holderCells);
          return [
            [name, `${used} of ${slots}`, String(waiting), ...(first ?? ["", ""])],
            ...rest.map((cells) => ["", "", "", ...cells]),
          ];
        }),
      ]);
      terminal.note("What waits and why: esteira queue");
    }),
};

function holderCells(holder: WorkHolder): readonly [string, string] {
  const slots = (holder.slots ?? 1) > 1 ? ` (${holder.slots} slots)` : "";
  return [`${holderText(holder)}${slots}`, holder.sinceMs === undefined ? "" : formatTime(holder.sinceMs)];
}
