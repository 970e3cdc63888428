import { verifyPlatformAudit, verifyPlatformStore } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatSize } from "../../format.ts";
import { withAccess } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

type Found = Awaited<ReturnType<typeof verifyPlatformStore>>;
type Damage = Found["damages"][number];

export const command: Command = {
  usage: "verify [--deep | --quick] [--json]",
  summary: "Check every object, log entry and data file of the store against its digest",
  description:
    "Says what is missing or damaged and which versions, models, releases and endpoints hold it. --deep also counts the rows of data files, reads the artifacts of registered models, looks for gaps in logs, and compares the metadata with the event log as `esteira audit verify` does. --quick reads no bytes: what is named must be there, with its size. Nothing is changed. Ends with 1 when something is damaged. With ESTEIRA_TOKEN, its owner must administer every project.",
  options: {
    ...commonOptions,
    deep: { type: "boolean", help: "Also rows, artifacts of models, logs, and the metadata against their events." },
    quick: { type: "boolean", help: "Only whether what is named is there, with its size." },
  },
  examples: [
    { line: "esteira verify", does: "Reads the whole store and says what is damaged" },
    { line: "esteira verify --deep --json", does: "Everything that can be checked, for programs" },
    { line: "esteira verify --quick", does: "Says within seconds what is missing or cut short" },
  ],
  run: (context, options) =>
    withAccess(context, options, async ({ platform, assertAdministrator }) => {
      // What it says is about the files of every project.
      assertAdministrator("*");
      const { terminal, settings, signal } = context;
      const isDeep = options["deep"] === true;
      if (isDeep && options["quick"] === true)
        throw usageWrong({ usage: command.usage, reason: "--deep and --quick exclude each other" });
      const depth = isDeep ? "deep" : options["quick"] === true ? "quick" : "bytes";
      const found = await verifyPlatformStore(platform, { depth, signal, onProgress: progressOf(terminal) });
      terminal.endDrawing();
      const audit = isDeep ? await verifyPlatformAudit(platform, { settings, signal }) : undefined;
      const forged = audit === undefined ? 0 : audit.log.count + audit.rows.findings.length;
      const isWhole = found.damages.length === 0 && forged === 0;
      if (options["json"] === true) {
        const findings =
          audit === undefined ? {} : { audit: { count: forged, log: audit.log.findings, rows: audit.rows.findings } };
        terminal.printJson({ depth, isWhole, ...found, ...findings });
      } else print(terminal, found, forged);
      return isWhole ? 0 : 1;
    }),
};

function print(terminal: Terminal, { damages, objects, tableFiles }: Found, forged: number): void {
  for (const damage of damages) printDamage(terminal, damage);
  if (forged > 0) terminal.print(`${terminal.style("red", "✖")} ${terminal.say("verifiedForged", { count: forged })}`);
  const facts = { count: damages.length, objects, files: tableFiles };
  const isWhole = damages.length === 0 && forged === 0;
  if (isWhole) terminal.print(terminal.style("green", `✔ ${terminal.say("verifiedWhole", facts)}`));
  else if (damages.length > 0) terminal.print(terminal.style("red", `✖ ${terminal.say("verifiedDamaged", facts)}`));
}

const DRAW_EVERY_MS = 200;

function progressOf(terminal: Terminal): (progress: { readonly files: number; readonly bytes: number }) => void {
  let drawnAt = 0;
  return ({ files, bytes }) => {
    const now = performance.now();
    if (now - drawnAt < DRAW_EVERY_MS) return;
    drawnAt = now;
    terminal.draw([terminal.say("verifying", { files: formatCount(files), size: formatSize(bytes) })]);
  };
}

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
