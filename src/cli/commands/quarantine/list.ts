import { type Command, commonOptions, textOption } from "../../command.ts";
import { listAll } from "../../list-all.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "quarantine list DATASET [--rule RULE]",
  summary: "List rows that broke a contract",
  options: { ...commonOptions, rule: { type: "string", value: "RULE", help: "Only rows that broke this rule." } },
  examples: [
    { line: "esteira quarantine list raw_flights", does: "Each row with its rules and where it stood in the source" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const items = await listAll((page) =>
        call("listQuarantinedRows", { params: { name }, query: { ...page, rule: textOption(options, "rule") } }),
      );
      if (options["json"] === true) return terminal.printJson(items);
      if (items.length === 0) return terminal.print(`The quarantine of ${name} is empty.`);
      terminal.table([
        ["SOURCE", "RULES", "STATE", "ROW"],
        ...items.map((row) => [
          `${row.source.file}${row.source.line === undefined ? (row.source.row === undefined ? "" : ` row ${row.source.row}`) : `:${row.source.line}`}`,
          row.rules.map(({ id, message }) => message ?? id).join("; "),
          row.state,
          JSON.stringify(row.row),
        ]),
      ]);
    }),
};
