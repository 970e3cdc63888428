import { mkdir, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type Command } from "../../command.ts";
import { usageWrong } from "../../errors.ts";

export const command: Command = {
  usage: "init [FOLDER]",
  summary: "Start a project in this folder",
  options: { json: { type: "boolean", help: "Write JSON for machines." } },
  examples: [
    {
      line: "esteira init my-project && cd my-project && esteira run hello",
      does: "A project with one pipeline, and its first run",
    },
  ],
  positionals: { least: 0, most: 1 },
  async run({ terminal, workingFolder }, options, [given = "."]) {
    const folder = resolve(workingFolder, given);
    const name =
      basename(folder)
        .toLowerCase()
        .replaceAll(/[^a-z0-9_-]+/g, "-")
        .replace(/^[^a-z]+/, "") || "project";
    const files = projectFiles(name);
    await mkdir(join(folder, "pipelines"), { recursive: true });
    await mkdir(join(folder, "data"), { recursive: true });
    await mkdir(join(folder, "sql"), { recursive: true });
    for (const [path, content] of Object.entries(files)) {
      await writeFile(join(folder, path), content, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
        throw error.code === "EEXIST"
          ? usageWrong({
              usage: command.usage,
              reason: `${join(given, path)} exists already; nothing of it was changed`,
            })
          : error;
      });
    }
    if (options["json"] === true) return terminal.printJson({ folder, files: Object.keys(files) });
    for (const path of Object.keys(files)) terminal.print(`${terminal.style("green", "+")} ${join(given, path)}`);
    terminal.print(`\n${given === "." ? "" : `cd ${given} && `}esteira run hello`);
  },
};

function projectFiles(name: string): Readonly<Record<string, string>> {
  return {
    "esteira.yaml": `name: ${name}\nenvironments:\n  staging: {}\n  production: { approvals: 1 }\n`,
    "pipelines/hello.yaml":
      "# Each step is named after what it makes. sql/visits_per_day.sql reads the table visits: the edge is inferred.\nsteps:\n  visits:         { capture: { files: data/visits.csv }, write: append }\n  visits_per_day: { sql: sql/visits_per_day.sql }\n",
    "sql/visits_per_day.sql": "SELECT day, sum(visitors) AS visitors FROM visits GROUP BY day ORDER BY day\n",
    "data/visits.csv":
      "day,page,visitors\n2026-01-01,home,120\n2026-01-01,docs,45\n2026-01-02,home,131\n2026-01-02,docs,60\n",
    ".gitignore": ".esteira/\n",
  };
}
