import { scanDataset } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "dataset scan NAME",
  summary: "Look for personal data in a dataset, and propose how to protect it",
  description:
    "CPF, CNPJ, e-mail, phone, card and IBAN, told by form and check digits of up to 5,000 different values of each column. No value is printed. The lines that are proposed go under properties of the contract.",
  options: commonOptions,
  examples: [
    { line: "esteira dataset scan customers", does: "Columns with personal data, with lines for the contract" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [dataset = ""]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal, signal } = context;
      const scanned = await scanDataset(platform, { dataset, signal });
      if (options["json"] === true) return terminal.printJson(scanned);
      if (scanned.found.length === 0) return terminal.print(terminal.say("noPersonalData", { count: scanned.columns }));
      for (const { column, kind, values, matching, proposal } of scanned.found) {
        terminal.print(terminal.style("bold", terminal.say("personalData", { column, kind, matching, values })));
        for (const line of proposal) terminal.print(`      ${line}`);
      }
    }),
};
