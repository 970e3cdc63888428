import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "preview list",
  summary: "List pull requests with what runs of them, and where",
  options: commonOptions,
  examples: [{ line: "esteira preview list", does: "Pull requests, their environments, and the state of their runs" }],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { items } = await call("listPreviews", {});
      const { terminal } = context;
      if (options["json"] === true) return terminal.printJson(items);
      if (items.length === 0)
        return terminal.print("There are no pull requests. Pipelines start on them with on: { pull_request: main }");
      terminal.table([
        ["#", "STATE", "BRANCH", "ENVIRONMENT", "RUNS", "TOLD", "SINCE"],
        ...items.map(({ number, state, branch, environment, live, runs, updatedAtMs, isOutside }) => [
          String(number),
          isOutside ? `${state} (from outside)` : state,
          branch,
          live.length === 0 ? "–" : `${environment}: ${live.map(({ asset }) => asset).join(", ")}`,
          runs.map(({ pipeline, status }) => `${pipeline} ${status}`).join(", ") || "–",
          runs.map(({ told, problem }) => problem ?? told ?? "–").join(", ") || "–",
          formatTime(updatedAtMs),
        ]),
      ]);
      for (const { live } of items)
        for (const { asset, address } of live) if (address !== undefined) terminal.note(`${asset}: ${address}`);
    }),
};
