import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatTime } from "../../format.ts";
import { listAll } from "../../list-all.ts";
import { withProject } from "../../session.ts";

const STATES = ["open", "acknowledged", "closed"] as const;

export const command: Command = {
  usage: "alert list",
  summary: "List alerts, newest first, with what crossed what",
  options: {
    state: { type: "string", value: "STATE", help: "open, acknowledged or closed; default: all." },
    endpoint: { type: "string", value: "ENVIRONMENT/NAME", help: "Only those of one endpoint." },
    ...commonOptions,
  },
  examples: [
    { line: "esteira alert list --state open", does: "What is out of bounds now" },
    { line: "esteira alert list --endpoint production/delay --json", does: "Those of one endpoint, for a program" },
  ],
  positionals: { least: 0, most: 0 },
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const given = textOption(options, "state");
      const state = STATES.find((one) => one === given);
      if (given !== undefined && state === undefined)
        throw usageWrong({
          usage: command.usage,
          reason: `--state ${JSON.stringify(given)} is none of ${STATES.join(", ")}`,
        });
      const endpoint = textOption(options, "endpoint");
      const found = await listAll((page) =>
        call("listAlerts", { query: { ...page, ...(state === undefined ? {} : { state }) } }),
      );
      const alerts = found.filter(
        (alert) => endpoint === undefined || `${alert.environment ?? ""}/${alert.subject}` === endpoint,
      );
      if (options["json"] === true) return terminal.printJson(alerts);
      if (alerts.length === 0) return terminal.print(terminal.say("noAlerts"));
      terminal.table([
        ["ALERT", "STATE", "MONITOR", "OPENED", "WHAT"],
        ...alerts.map((alert) => [
          alert.id,
          alert.state,
          [alert.environment, alert.monitor].filter((part) => part !== undefined).join("/"),
          formatTime(alert.atMs),
          alert.message,
        ]),
      ]);
    }),
};
