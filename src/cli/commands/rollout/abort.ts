import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";
import { findEndpoint } from "./endpoint-name.ts";

export const command: Command = {
  usage: "rollout abort NAME [--reason TEXT]",
  summary: "Take the version that is tried back",
  options: {
    ...commonOptions,
    reason: { type: "string", value: "TEXT", help: "Why; goes into the record." },
  },
  examples: [{ line: "esteira rollout abort production/delay", does: "The stable version answers alone again" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [given = ""]) =>
    withProject(context, options, async (session) => {
      const place = await findEndpoint(session, given, command.usage);
      await session.call("abortTrial", { params: place, body: { reason: textOption(options, "reason") } });
      const endpoint = `${place.environment}/${place.name}`;
      if (options["json"] === true) context.terminal.printJson({ endpoint, outcome: "aborted" });
      else
        context.terminal.print(context.terminal.style("green", `✔ ${endpoint} answers with the stable version alone.`));
    }),
};
