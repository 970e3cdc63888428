import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { listAll } from "../../list-all.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "model list [NAME]",
  summary: "List models with versions, verdicts and aliases",
  options: commonOptions,
  examples: [
    { line: "esteira model list", does: "Every model with its champion" },
    { line: "esteira model list delay", does: "The versions of one model" },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [name]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const versions =
        name === undefined
          ? (await listAll((page) => call("listModels", { query: page }))).flatMap((model) => [model.latest])
          : (await call("getModel", { params: { name } })).versions;
      if (options["json"] === true) return terminal.printJson(versions);
      if (versions.length === 0) return terminal.print(terminal.say("nothingYet"));
      terminal.table([
        ["MODEL", "VERSION", "VERDICT", "ALIASES", "SERVED AT", "MADE", "METRICS"],
        ...versions.map((version) => [
          version.name,
          String(version.version),
          version.verdict,
          version.aliases.join(", "),
          version.servedAt.map(({ environment }) => environment).join(", "),
          formatTime(version.madeAtMs),
          Object.entries(version.metrics)
            .slice(0, 3)
            .map(([metric, value]) => `${metric} ${value.toFixed(4)}`)
            .join(", "),
        ]),
      ]);
    }),
};
