import { tryExecutor } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "executor check NAME",
  summary: "Run a small process on an executor, to see that its machines share the store and reach the server",
  description:
    "The process reads a file of the store and writes another; where the executor has a url, it calls it. On a cluster it waits for its turn like every job.",
  options: commonOptions,
  examples: [{ line: "esteira executor check hpc", does: "Says how long it took, or what is in the way" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const tried = await tryExecutor(platform, name);
      if (options["json"] === true) return terminal.printJson(tried);
      terminal.print(
        `${terminal.style("green", "✔")} ${terminal.say("executorTried", { name, ms: tried.durationMs, isolation: tried.isolation })}`,
      );
    }),
};
