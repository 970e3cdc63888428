import { type Command, commonOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { type CliSession, withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { readWholeRun } from "../../whole-run.ts";
import { latestRun } from "./latest-run.ts";

const PAGE = 5000;

export const command: Command = {
  usage: "logs RUN [STEP] [ITEM] [-f]",
  summary: "Show the log of a pipeline run or a step",
  options: {
    ...commonOptions,
    follow: { type: "boolean", short: "f", help: "Stay and show what comes, until the run ends." },
  },
  examples: [
    { line: "esteira logs 01JXAMPLE", does: "The logs of all steps, one after the other" },
    { line: "esteira logs 01JXAMPLE delay -f", does: "Follows one step" },
    { line: "esteira logs 01JXAMPLE work data/one.csv", does: "One item of a step with for_each, or matrix: n=2" },
    { line: "esteira logs latest", does: "The newest pipeline run" },
  ],
  positionals: { least: 1, most: 3 },
  run: (context, options, [given = "", step, item]) =>
    withProject(context, options, async (session) => {
      const id = given === "latest" ? await latestRun(session, command.usage) : given;
      const run = await readWholeRun(session.call, id);
      const chosen = run.stepRuns.filter((each) => step === undefined || each.step === step);
      if (chosen.length === 0 && step !== undefined) {
        throw usageWrong({
          usage: command.usage,
          reason: `The run has no step ${JSON.stringify(step)}; it has ${[...new Set(run.stepRuns.map((each) => each.step))].join(", ")}`,
        });
      }
      const named = item === undefined ? chosen : chosen.filter(({ matrix }) => isItem(matrix, item));
      if (named.length === 0 && item !== undefined)
        throw usageWrong({
          usage: command.usage,
          reason: `Step ${JSON.stringify(step)} has no item ${JSON.stringify(item)}; see them with: esteira status ${id} ${step ?? ""}`,
        });
      for (const stepRun of named) {
        if (named.length > 1 && options["json"] !== true)
          context.terminal.print(
            context.terminal.style(
              "bold",
              `── ${stepRun.step}${stepRun.matrix === undefined ? "" : ` (${stepRun.matrix})`}`,
            ),
          );
        await printLog(session, context.terminal, {
          stepRunId: stepRun.id,
          follow: options["follow"] === true,
          asJson: options["json"] === true,
          signal: context.signal,
        });
      }
    }),
};

/** An item by itself, or a combination as it is shown: `n=2`. */
function isItem(matrix: string | undefined, given: string): boolean {
  return matrix === given || matrix === `item=${given}`;
}

async function printLog(
  { call }: CliSession,
  terminal: Terminal,
  {
    stepRunId,
    follow,
    asJson,
    signal,
  }: { readonly stepRunId: string; readonly follow: boolean; readonly asJson: boolean; readonly signal: AbortSignal },
): Promise<void> {
  for (let after = 0; !signal.aborted;) {
    const log = await call("getStepRunLog", { params: { id: stepRunId }, query: { after, limit: PAGE } });
    for (const chunk of log.items) {
      if (asJson) terminal.print(JSON.stringify(chunk));
      else process.stdout.write(chunk.text);
    }
    if (log.complete || (!follow && !log.more)) return;
    if (!log.more) await new Promise((resolve) => setTimeout(resolve, 200));
    after = log.lastSequence;
  }
}
