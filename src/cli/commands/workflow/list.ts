import { findWorkflows } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { printable } from "./printable.ts";

const STYLES = { ready: "green", called: "dim", elsewhere: "dim", refused: "yellow", invalid: "red" } as const;

export const command: Command = {
  usage: "workflow list",
  summary: "List GitHub workflows with what starts them and whether they run here",
  options: commonOptions,
  examples: [
    { line: "esteira workflow list", does: "Each file of .github/workflows, as a pipeline or with why it is none" },
  ],
  run: (context, options) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const found = await findWorkflows(platform);
      if (options["json"] === true) return terminal.printJson(found.map(printable));
      if (found.length === 0) return terminal.print(terminal.say("noWorkflows"));
      terminal.table([
        [
          terminal.say("workflow"),
          terminal.say("workflowFile"),
          terminal.say("state"),
          terminal.say("jobs"),
          terminal.say("events"),
        ],
        ...found.map(({ name, file, state, jobs, events }) => [
          name,
          file,
          terminal.style(STYLES[state], terminal.say(`workflow_${state}`)),
          String(jobs),
          events.join(", "),
        ]),
      ]);
    }),
};
