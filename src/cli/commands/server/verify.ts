import { verifyPlatformStore } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withAccess } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

type Damage = Awaited<ReturnType<typeof verifyPlatformStore>>["damages"][number];

export const command: Command = {
  usage: "verify [--json]",
  summary: "Check every object, log entry and data file of the store against its digest",
  description:
    "Says what is damaged and which versions, models, releases and endpoints hold it. Nothing is changed. Ends with 1 when something is damaged. With ESTEIRA_TOKEN, its owner must administer every project.",
  options: { ...commonOptions },
  examples: [
    { line: "esteira verify", does: "Reads the whole store and says what is damaged" },
    { line: "esteira verify --json", does: "The same for programs" },
  ],
  run: (context, options) =>
    withAccess(context, options, async ({ platform, assertAdministrator }) => {
      // What it says is about the files of every project.
      assertAdministrator("*");
      const { terminal, signal } = context;
      const { damages, ...counts } = await verifyPlatformStore(platform, signal);
      if (options["json"] === true) terminal.printJson({ ...counts, damages });
      else {
        for (const damage of damages) printDamage(terminal, damage);
        const said = terminal.say(damages.length === 0 ? "verifiedWhole" : "verifiedDamaged", {
          count: damages.length,
          objects: counts.objects,
          files: counts.tableFiles,
        });
        terminal.print(
          damages.length === 0 ? terminal.style("green", `✔ ${said}`) : terminal.style("red", `✖ ${said}`),
        );
      }
      return damages.length === 0 ? 0 : 1;
    }),
};

function printDamage(terminal: Terminal, { file, problem, versions, releases, endpoints }: Damage): void {
  terminal.print(`${terminal.style("red", "✖")} ${file}: ${problem}`);
  const affected = [
    ["affectedVersions", versions],
    ["affectedReleases", releases],
    ["affectedEndpoints", endpoints],
  ] as const;
  for (const [what, names] of affected)
    if (names.length > 0) terminal.print(`    ${terminal.say(what)}: ${names.join(", ")}`);
}
