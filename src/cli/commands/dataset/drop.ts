import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

const EXIT_UNDONE = 1;

export const command: Command = {
  usage: "dataset drop NAME --yes",
  summary: "Drop a dataset that nothing needs",
  description:
    "It is no longer listed, and its quarantine is closed. Its versions stay readable, for lineage, and `dataset restore` brings it back. Refused, with names, while a step makes or reads it, a feature view reads it, or a registered model or a release was made of it.",
  options: { ...commonOptions, yes: { type: "boolean", help: "Really drop it." } },
  examples: [{ line: "esteira dataset drop visits --yes", does: "Takes visits out of the lists" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      if (options["yes"] !== true) {
        await call("getDataset", { params: { name }, query: {} });
        terminal.print(terminal.say("dropWould", { dataset: name }));
        return EXIT_UNDONE;
      }
      const result = await call("dropDataset", { params: { name } });
      if (options["json"] === true) terminal.printJson(result);
      else terminal.print(terminal.say("dropped", { dataset: name, count: result.versions }));
      return 0;
    }),
};
