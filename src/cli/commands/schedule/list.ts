import type { PipelineSchedule } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatDuration, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "schedule list",
  summary: "List what starts pipelines by time or by a look outside",
  options: commonOptions,
  examples: [
    {
      line: "esteira schedule list",
      does: "Schedules and sensors, when each is next, what it did last, what is wrong",
    },
  ],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { pipelines } = await call("listSchedules", {});
      const { terminal } = context;
      if (options["json"] === true) return terminal.printJson(pipelines);
      if (pipelines.length === 0) return terminal.print("No pipeline has a schedule or a sensor.");
      terminal.table([["pipeline", "by", "next", "last", "note"], ...pipelines.flatMap(rowsOf)]);
    }),
};

function rowsOf({ pipeline, paused, schedules, sensors }: PipelineSchedule): readonly (readonly string[])[] {
  const pause =
    paused === undefined
      ? ""
      : `paused by ${paused.actor} since ${formatTime(paused.pausedAtMs)}${paused.reason === undefined ? "" : `: ${paused.reason}`}`;
  const next = (atMs: number | undefined): string =>
    paused !== undefined ? "paused" : atMs === undefined ? "" : formatTime(atMs);
  const rows = [
    ...schedules.map(({ cron, timezone, nextAtMs, lastAtMs }) => [
      `${cron} ${timezone}`,
      next(nextAtMs),
      lastAtMs === undefined ? "" : formatTime(lastAtMs),
      pause,
    ]),
    ...sensors.map((sensor) => [
      `${sensor.subject}, every ${formatDuration(sensor.everyMs)}`,
      next(sensor.nextAtMs),
      sensor.firedAtMs === undefined ? "" : `${formatTime(sensor.firedAtMs)} ${sensor.pipelineRunId ?? ""}`,
      sensor.problem === undefined
        ? pause
        : `fails since ${formatTime(sensor.failingSinceMs ?? 0)}: ${sensor.problem.message}`,
    ]),
  ];
  return (rows.length === 0 ? [["", "paused", "", pause]] : rows).map((cells) => [pipeline, ...cells]);
}
