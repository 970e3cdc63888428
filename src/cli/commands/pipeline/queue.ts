import type { QueuedWork } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatCount, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { waitText } from "../../wait-text.ts";

export const command: Command = {
  usage: "queue",
  summary: "List what waits for its turn, and why",
  options: commonOptions,
  examples: [
    { line: "esteira queue", does: "Runs and steps that are queued, in their order, and who holds what they wait for" },
  ],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const queue = await call("listQueue", {});
      const { terminal } = context;
      if (options["json"] === true) return terminal.printJson(queue);
      const { runs, runCount, stepRuns, stepRunCount } = queue;
      if (runCount + stepRunCount === 0) return terminal.print("Nothing waits.");
      if (runCount > 0) {
        terminal.print(`Pipeline runs: ${formatCount(runCount)}`);
        printWork(terminal, runs, runCount);
      }
      if (stepRunCount > 0) {
        terminal.print(`Steps: ${formatCount(stepRunCount)}`);
        printWork(terminal, stepRuns, stepRunCount);
      }
    }),
};

function printWork(terminal: Terminal, work: readonly QueuedWork[], count: number): void {
  terminal.table([
    ["what", "run", "priority", "queued", "waits for"],
    ...work.map((each) => [
      nameOf(each),
      terminal.style("dim", each.pipelineRunId),
      String(each.priority),
      formatTime(each.queuedAtMs),
      waitText(each.waitsFor),
    ]),
  ]);
  if (count > work.length) terminal.note(`and ${formatCount(count - work.length)} behind them`);
}

function nameOf({ pipeline, partition, step, matrix }: QueuedWork): string {
  if (step === undefined) return partition === undefined ? pipeline : `${pipeline} (${partition})`;
  return `${pipeline}.${step}${matrix === undefined ? "" : ` (${matrix})`}`;
}
