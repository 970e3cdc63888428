import type { DatasetDetail } from "#api";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export const command: Command = {
  usage: "dataset show NAME [--version N] [--limit N] [--sort COLUMN [--descending]]",
  summary: "Show rows of a dataset version",
  options: {
    ...commonOptions,
    version: { type: "string", value: "N", help: "An earlier version; default: the latest." },
    limit: { type: "string", value: "N", help: "Rows to show, at most 1000; default 20." },
    sort: { type: "string", value: "COLUMN", help: "Sort all rows by a column, nulls last; default: as stored." },
    descending: { type: "boolean", help: "Largest first." },
  },
  examples: [{ line: "esteira dataset show flights --version 3", does: "Twenty rows as they were in version 3" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const version = textOption(options, "version");
      const sort = textOption(options, "sort");
      const order = options["descending"] === true ? ("descending" as const) : ("ascending" as const);
      const query = {
        ...(sort === undefined ? {} : { sort, order }),
        offset: 0,
        limit: wholeNumber("limit", textOption(options, "limit") ?? "20"),
        version: version === undefined ? undefined : wholeNumber("version", version),
      };
      const rows = await call("getDatasetRows", { params: { name }, query });
      if (options["json"] === true) return terminal.printJson(rows);
      terminal.table([
        rows.columns.map((column) => column.name),
        ...rows.rows.map((row) =>
          row.map((value) => (typeof value === "string" ? value : value === null ? "" : (JSON.stringify(value) ?? ""))),
        ),
      ]);
      const {
        treated = [],
        checks = [],
        merged,
      } = await call("getDataset", { params: { name }, query: { version: rows.version } });
      for (const { rule, expectation, found, holds } of checks)
        if (holds === false)
          terminal.note(
            terminal.style("yellow", terminal.say("ruleBroken", { rule, expectation, found: found ?? "" })),
          );
      if (merged !== undefined)
        terminal.note(
          terminal.style(
            "dim",
            terminal.say("mergedKeys", {
              added: formatCount(merged.added),
              changed: formatCount(merged.changed),
              deleted: formatCount(merged.deleted),
              unchanged: formatCount(merged.unchanged),
            }),
          ),
        );
      for (const one of treated) terminal.note(terminal.style("dim", describeTreated(terminal, one)));
      terminal.note(
        terminal.style(
          "dim",
          terminal.say("rowsOfVersion", {
            version: rows.version,
            count: formatCount(rows.rowCount ?? rows.rows.length),
          }),
        ),
      );
    }),
};

function describeTreated(
  terminal: Terminal,
  { column, treatment, values, low, high, why }: NonNullable<DatasetDetail["treated"]>[number],
): string {
  const said = { column, treatment, count: formatCount(values) };
  const text = terminal.say(treatment === "deduplicate" ? "duplicatesLeftOut" : "treatedValues", said);
  const bounds = [low === undefined ? [] : `< ${formatBound(low)}`, high === undefined ? [] : `> ${formatBound(high)}`];
  const details = why ?? bounds.flat().join(", ");
  return details === "" ? text : `${text} (${details})`;
}

function formatBound(bound: number): string {
  return String(Number(bound.toPrecision(6)));
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw usageWrong({
    usage: command.usage,
    reason: `--${option} is ${JSON.stringify(text)}; expected a whole number from 1 to 1000`,
  });
}
