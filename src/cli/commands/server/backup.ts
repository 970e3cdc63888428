import { resolve } from "node:path";
import { backUpPlatform, checkStoreBackup } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatSize } from "../../format.ts";
import { withAccess } from "../../session.ts";
import { progressLine } from "../../progress-line.ts";

export const command: Command = {
  usage: "backup FOLDER [--check] [--json]",
  summary: "Copy the whole store into a folder, while everything runs",
  description:
    "The metadata are of one moment, files are copied after it. Into the folder of an earlier backup only what changed is written; that backup holds until the new one is whole. With ESTEIRA_TOKEN, its owner must administer every project.",
  options: {
    ...commonOptions,
    check: { type: "boolean", help: "Write nothing: compare the backup in FOLDER with its digests." },
  },
  examples: [
    { line: "esteira backup /mnt/backup/harbour", does: "Copies the store, or what changed since the last time" },
    { line: "esteira backup /mnt/backup/harbour --check", does: "Reads the backup and names what is damaged" },
  ],
  positionals: { least: 1, most: 1 },
  run(context, options, [name = ""]) {
    if (name === "") throw usageWrong({ usage: command.usage, reason: "FOLDER is empty" });
    const { terminal, signal, workingFolder } = context;
    const folder = resolve(workingFolder, name);
    const watched = { signal, report: progressLine(terminal) };
    if (options["check"] === true)
      return checkStoreBackup(folder, watched).then((checked) => {
        terminal.endDrawing();
        if (options["json"] === true) terminal.printJson(checked);
        else {
          for (const { file, problem } of checked.damages)
            terminal.print(`${terminal.style("red", "✖")} ${file} ${problem}`);
          const facts = { count: checked.damages.length, files: formatCount(checked.files) };
          terminal.print(
            checked.damages.length === 0
              ? terminal.style("green", `✔ ${terminal.say("backupWhole", facts)}`)
              : terminal.style("red", `✖ ${terminal.say("backupDamaged", facts)}`),
          );
        }
        return checked.damages.length === 0 ? 0 : 1;
      });
    return withAccess(context, options, async ({ platform, assertAdministrator }) => {
      // It holds the files of every project.
      assertAdministrator("*");
      const made = await backUpPlatform(platform, { ...watched, folder });
      terminal.endDrawing();
      if (options["json"] === true) return terminal.printJson(made);
      return terminal.print(
        terminal.say("backedUp", {
          folder,
          files: formatCount(made.files),
          kept: formatCount(made.kept),
          rows: formatCount(made.rows),
          size: formatSize(made.bytes),
        }),
      );
    });
  },
};
