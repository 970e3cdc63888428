import type { RetrainingPolicy } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatDuration, formatTime } from "../../format.ts";
import { retrainingUnknown } from "../../errors.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { decisionText, limitText, reasonText } from "./retraining-text.ts";

export const command: Command = {
  usage: "retraining show PIPELINE",
  summary: "Say why a pipeline trained again, why it did not, and when it may next",
  options: commonOptions,
  examples: [
    { line: "esteira retraining show delay", does: "The policy of pipeline delay, what waits, and its last decisions" },
    { line: "esteira retraining show delay --json", does: "All of it, for a program" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const { pipelines } = await call("listRetrainings", {});
      const found = pipelines.find(({ pipeline }) => pipeline === name);
      if (found === undefined)
        throw retrainingUnknown({ pipeline: name, known: pipelines.map(({ pipeline }) => pipeline) });
      if (options["json"] === true) return terminal.printJson(found);
      print(terminal, found);
    }),
};

function print(
  terminal: Terminal,
  { pipeline, atMost, budget, params, reasons, waiting, ...rest }: RetrainingPolicy,
): void {
  terminal.print(terminal.style("bold", pipeline));
  if (atMost !== undefined) terminal.print(`at_most  ${limitText(atMost, String)}`);
  if (budget !== undefined) terminal.print(`budget   ${limitText(budget, formatDuration)}`);
  if (Object.keys(params).length > 0) terminal.print(`params   ${JSON.stringify(params)}`);
  if (reasons.length === 0) terminal.print(terminal.say("retrainMay"));
  for (const reason of reasons) terminal.print(reasonText(terminal, reason));
  if (rest.nextAtMs !== undefined) terminal.print(terminal.say("retrainNext", { at: formatTime(rest.nextAtMs) }));
  for (const { on, subject, atMs } of waiting)
    terminal.print(terminal.say("retrainWaiting", { cause: `${on} ${subject}`, at: formatTime(atMs) }));
  if (rest.decisions.length === 0) return;
  terminal.table([
    ["AT", "ASKED BY", "DECIDED"],
    ...rest.decisions.map((decision) => [
      formatTime(decision.atMs),
      [...new Set(decision.causes.map(({ on, subject }) => `${on} ${subject}`))].join(", "),
      decisionText(terminal, decision),
    ]),
  ]);
}
