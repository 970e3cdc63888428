import { examineProject } from "#app";
import type { ProjectConfig } from "#config";
import { type Command, commonOptions } from "../../command.ts";
import { configFor } from "../../session.ts";

const MARKS = { ok: ["green", "✔"], warning: ["yellow", "!"], failure: ["red", "✖"] } as const;

export const command: Command = {
  usage: "doctor [--json]",
  summary: "Look for what is wrong with this machine, project and store, and say the cure",
  description:
    "Versions, Python, ports, esteira.yaml, the store's folder and its file modes, disk, clocks, keys, isolation, database, leases, the last verification, unreferenced files, bucket: each by itself, so that it works where the project does not. Ends with 1 when something fails; warnings are no failure.",
  options: { ...commonOptions },
  examples: [
    { line: "esteira doctor", does: "Says what is wrong, with its cure" },
    { line: "esteira doctor --json", does: "The same for programs" },
  ],
  async run(context, options) {
    const { terminal, settings } = context;
    const config = await configFor(context, options).catch((error: unknown): ProjectConfig | Error => {
      if (error instanceof Error) return error;
      throw error;
    });
    const findings = await examineProject(config, settings);
    const isWell = findings.every(({ state }) => state !== "failure");
    if (options["json"] === true) {
      terminal.printJson({ isWell, findings });
      return isWell ? 0 : 1;
    }
    for (const { name, state, message, cure } of findings) {
      const [style, mark] = MARKS[state];
      terminal.print(`${terminal.style(style, mark)} ${name}: ${message}`);
      if (cure !== undefined) terminal.print(`    ${cure}`);
    }
    return isWell ? 0 : 1;
  },
};
