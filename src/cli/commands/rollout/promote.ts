import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";
import { findEndpoint } from "./endpoint-name.ts";

export const command: Command = {
  usage: "rollout promote NAME [--reason TEXT]",
  summary: "Let the version that is tried take over now",
  options: {
    ...commonOptions,
    reason: { type: "string", value: "TEXT", help: "Why; goes into the record." },
  },
  examples: [
    {
      line: "esteira rollout promote production/delay",
      does: "It answers from now on, whatever its trial showed; the environment's rules hold",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [given = ""]) =>
    withProject(context, options, async (session) => {
      const place = await findEndpoint(session, given, command.usage);
      await session.call("promoteTrial", { params: place, body: { reason: textOption(options, "reason") } });
      const endpoint = `${place.environment}/${place.name}`;
      if (options["json"] === true) context.terminal.printJson({ endpoint, outcome: "promoted" });
      else context.terminal.print(context.terminal.style("green", `✔ ${endpoint} answers with the new version.`));
    }),
};
