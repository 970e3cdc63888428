import { type Command, commonOptions } from "../../command.ts";
import { formatCount, formatTime } from "../../format.ts";
import { listAll } from "../../list-all.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "endpoint list",
  summary: "List endpoints with the version that answers and its trial",
  options: commonOptions,
  examples: [{ line: "esteira endpoint list", does: "Every endpoint of every environment" }],
  positionals: { least: 0, most: 0 },
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const endpoints = await listAll((page) => call("listEndpoints", { query: page }));
      if (options["json"] === true) return terminal.printJson(endpoints);
      if (endpoints.length === 0) return terminal.print(terminal.say("nothingYet"));
      terminal.table([
        ["ENVIRONMENT", "ENDPOINT", "MODEL", "PREDICTIONS", "LAST", "OPEN ALERTS"],
        ...endpoints.map((endpoint) => [
          endpoint.environment,
          endpoint.name,
          endpoint.model === undefined ? "" : `${endpoint.model} version ${endpoint.modelVersion}`,
          formatCount(endpoint.predictionCount),
          endpoint.lastPredictionAtMs === undefined ? "–" : formatTime(endpoint.lastPredictionAtMs),
          String(endpoint.openAlertCount),
        ]),
      ]);
    }),
};
