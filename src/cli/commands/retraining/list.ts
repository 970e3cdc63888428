import { type Command, commonOptions } from "../../command.ts";
import { formatDuration, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";
import { limitText, reasonText } from "./retraining-text.ts";

export const command: Command = {
  usage: "retraining list",
  summary: "List policies for training again, with what holds them back and when they may next",
  options: commonOptions,
  examples: [{ line: "esteira retraining list", does: "Each pipeline with `retrain:`, its limits and what is used" }],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const { pipelines } = await call("listRetrainings", {});
      if (options["json"] === true) return terminal.printJson(pipelines);
      if (pipelines.length === 0) return terminal.print(terminal.say("retrainNone"));
      terminal.table([
        ["PIPELINE", "RUNS", "TIME", "WAITING", "NEXT", "NOW"],
        ...pipelines.map((each) => [
          each.pipeline,
          limitText(each.atMost, String),
          limitText(each.budget, formatDuration),
          String(each.waiting.length),
          each.nextAtMs === undefined ? "" : formatTime(each.nextAtMs),
          each.reasons.length === 0
            ? terminal.say("retrainMay")
            : each.reasons.map((reason) => reasonText(terminal, reason)).join("; "),
        ]),
      ]);
    }),
};
