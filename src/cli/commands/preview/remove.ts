import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "preview remove NAME",
  summary: "End the runs of a pull request and remove what it has running",
  description:
    "Previews of merged and closed pull requests go by themselves. The next commit of an open one makes its preview again.",
  options: commonOptions,
  examples: [{ line: "esteira preview remove feature-login", does: "preview/feature-login is gone" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      await call("removePreview", { params: { name: name.replace(/^preview\//, "") } });
      if (options["json"] === true) context.terminal.printJson({ removed: name });
      else context.terminal.print(`${name} is gone.`);
    }),
};
