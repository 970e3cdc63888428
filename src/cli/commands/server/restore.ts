import { resolve } from "node:path";
import { restoreProjectStore } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatSize } from "../../format.ts";
import { configFor } from "../../session.ts";
import { progressLine } from "../../progress-line.ts";

export const command: Command = {
  usage: "restore BACKUP [--json]",
  summary: "Make the store from a backup",
  description:
    "The store's folder must be missing or empty, and so must the database that esteira.yaml names: a backup of SQLite can be restored into PostgreSQL, and back. Every byte is compared with its digest; what is damaged restores nothing.",
  options: { ...commonOptions },
  examples: [
    { line: "esteira restore /mnt/backup/harbour", does: "Makes the store of the project you are in" },
    { line: "esteira restore /mnt/backup/harbour --store /tmp/look", does: "Makes a store of its own, to look at" },
  ],
  positionals: { least: 1, most: 1 },
  async run(context, options, [name = ""]) {
    if (name === "") throw usageWrong({ usage: command.usage, reason: "BACKUP is empty" });
    const { terminal, signal, workingFolder } = context;
    const config = await configFor(context, options);
    const backup = resolve(workingFolder, name);
    const restored = await restoreProjectStore(config, { backup, signal, report: progressLine(terminal) });
    terminal.endDrawing();
    if (options["json"] === true) return terminal.printJson({ ...restored, storeFolder: config.storeFolder });
    return terminal.print(
      terminal.say("restoredStore", {
        folder: config.storeFolder,
        at: new Date(restored.takenAtMs).toISOString(),
        files: formatCount(restored.files),
        rows: formatCount(restored.rows),
        size: formatSize(restored.bytes),
      }),
    );
  },
};
