import { type Command, commonOptions } from "../../command.ts";
import { formatDuration, formatStatus, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "status [RUN]",
  summary: "Show pipelines and their latest runs",
  options: commonOptions,
  examples: [
    { line: "esteira status", does: "Every pipeline with its latest run" },
    { line: "esteira status 01JXAMPLE", does: "One pipeline run with its steps" },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [id]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      if (id !== undefined) {
        const run = await call("getPipelineRun", { params: { id } });
        if (options["json"] === true) return terminal.printJson(run);
        terminal.print(`${formatStatus(terminal, run.status)}  ${run.pipeline}  ${terminal.style("dim", run.id)}${run.blocked === undefined ? "" : `  ${run.blocked}`}`);
        return terminal.table([
          [terminal.say("step"), terminal.say("kind"), terminal.say("status"), terminal.say("duration"), terminal.say("why")],
          ...run.stepRuns.map((step) => [
            step.matrix === undefined ? step.step : `${step.step} (${step.matrix})`,
            step.kind,
            formatStatus(terminal, step.status, step.cached ? terminal.say("cached") : step.status),
            step.startedAtMs === undefined || step.endedAtMs === undefined ? "" : formatDuration(step.endedAtMs - step.startedAtMs),
            step.error?.message ?? step.gate?.reason ?? step.reason ?? "",
          ]),
        ]);
      }
      const { items } = await call("listPipelines", { query: { limit: 1000 } });
      if (options["json"] === true) return terminal.printJson(items);
      if (items.length === 0) return terminal.print(terminal.say("noPipelines"));
      terminal.table([
        [terminal.say("pipeline"), terminal.say("status"), terminal.say("started"), terminal.say("duration"), terminal.say("run")],
        ...items.map(({ name, lastRun }) => [
          name,
          lastRun === undefined ? "–" : formatStatus(terminal, lastRun.status),
          lastRun?.startedAtMs === undefined ? "" : formatTime(lastRun.startedAtMs),
          lastRun?.startedAtMs === undefined || lastRun.endedAtMs === undefined ? "" : formatDuration(lastRun.endedAtMs - lastRun.startedAtMs),
          terminal.style("dim", lastRun?.id ?? ""),
        ]),
      ]);
      if (items.every(({ lastRun }) => lastRun === undefined)) terminal.print(terminal.say("nothingYet"));
    }),
};
