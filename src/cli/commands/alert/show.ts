import type { AlertAdvice, AlertCause, AlertColumn, AlertDetail, AlertExplanation } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatCount, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export const command: Command = {
  usage: "alert show ID",
  summary: "Explain an alert: since when, which columns and rows, what changed, what to do",
  options: commonOptions,
  examples: [
    { line: "esteira alert show 01JXAMPLE", does: "Why it opened, with both histograms of what moved" },
    { line: "esteira alert show 01JXAMPLE --json", does: "All of it, for a program" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const alert = await call("getAlert", { params: { id } });
      if (options["json"] === true) return terminal.printJson(alert);
      printHead(terminal, alert);
      if (alert.explanation === undefined) terminal.print(terminal.say("alertUnexplained"));
      else printExplanation(terminal, alert.explanation);
      if (alert.notices.length > 0)
        terminal.table([
          ["TOLD", "TO", "STATE", "TRIES", ""],
          ...alert.notices.map(({ event, target, state, attempts, lastError }) => [
            event,
            target,
            state,
            String(attempts),
            lastError ?? "",
          ]),
        ]);
    }),
};

function printHead(terminal: Terminal, alert: AlertDetail): void {
  const place = [alert.environment, alert.subject].filter((part) => part !== undefined).join("/");
  terminal.print(`${terminal.style("bold", alert.monitor)}  ${alert.state}  ${place}`);
  terminal.print(alert.message);
  if (alert.closedAtMs !== undefined)
    terminal.print(terminal.say("alertClosed", { at: formatTime(alert.closedAtMs), reason: alert.closeReason ?? "–" }));
  for (const { pipeline, pipelineRunId, status } of alert.triggered)
    terminal.print(terminal.say("alertStarted", { pipeline, id: pipelineRunId, status }));
}

function printExplanation(terminal: Terminal, explanation: AlertExplanation): void {
  const { since, columns, segments, causes, advice } = explanation;
  terminal.print(
    terminal.say("alertSince", { at: formatTime(since.atMs ?? since.windowStartMs), count: since.windows }),
  );
  if (since.lastGoodStartMs !== undefined && since.lastGoodEndMs !== undefined)
    terminal.print(
      terminal.say("alertLastGood", {
        from: formatTime(since.lastGoodStartMs),
        to: formatTime(since.lastGoodEndMs),
        value: short(since.lastGoodValue ?? NaN),
      }),
    );
  for (const column of columns) printColumn(terminal, column);
  if (segments.length > 0)
    terminal.table([
      ["WHERE", "METRIC", "VALUE", "REFERENCE", "ROWS"],
      ...segments.map((segment) => [
        segment.segment,
        segment.metric,
        short(segment.value),
        segment.baseline === undefined ? "" : short(segment.baseline),
        formatCount(segment.rows),
      ]),
    ]);
  terminal.print(causes.length === 0 ? terminal.say("alertNoCause") : terminal.say("alertCauses"));
  if (causes.length > 0)
    terminal.table([["CHANGED", "FROM", "TO", "AT", "RUN", "ROWS", "COLUMNS"], ...causes.map(rowOfCause)]);
  for (const each of advice) terminal.print(`→ ${adviceOf(terminal, each)}`);
}

function printColumn(terminal: Terminal, column: AlertColumn): void {
  const score = column.value === undefined ? "" : `  ${column.metric ?? ""} ${short(column.value)}`;
  const missing =
    column.nullShare === column.referenceNullShare
      ? ""
      : `  ${terminal.say("alertMissing", { now: percent(column.nullShare), before: percent(column.referenceNullShare) })}`;
  terminal.print(`${terminal.style("bold", column.column)}${score}${missing}`);
  const { shape } = column;
  if (shape === undefined) return;
  terminal.table([
    ["  VALUES", "REFERENCE", "NOW", ""],
    ...shape.bins.map((bin, index) => {
      const [before, now] = [shape.reference[index] ?? 0, shape.current[index] ?? 0];
      return [`  ${bin}`, percent(before), percent(now), "█".repeat(Math.round(now * 20))];
    }),
  ]);
}

function rowOfCause(cause: AlertCause): readonly string[] {
  const { fromRows, toRows } = cause;
  return [
    `${cause.kind} ${cause.name}`,
    cause.fromVersion === undefined ? "–" : String(cause.fromVersion),
    String(cause.toVersion),
    formatTime(cause.atMs),
    cause.pipelineRunId ?? "",
    toRows === undefined ? "" : `${fromRows === undefined ? "–" : formatCount(fromRows)} → ${formatCount(toRows)}`,
    [...cause.columns, ...cause.schema].join(", "),
  ];
}

const ADVICE = {
  roll_back: "adviceRollBack",
  look_at_run: "adviceLookAtRun",
  restore_dataset: "adviceRestore",
  ask_callers: "adviceAskCallers",
  look_at_segments: "adviceSegments",
  compare_performance: "advicePerformance",
  retrain: "adviceRetrain",
  check_traffic: "adviceTraffic",
  look_at_features: "adviceFeatures",
  look_at_online: "adviceOnline",
  look_at_requests: "adviceRequests",
  approve: "adviceApprove",
  verify_store: "adviceVerify",
  restore_backup: "adviceBackup",
} as const satisfies Record<AlertAdvice["kind"], string>;

function adviceOf(terminal: Terminal, { kind, name = "", version = 0, pipelineRunId = "–" }: AlertAdvice): string {
  return terminal.say(ADVICE[kind], { name, version, id: pipelineRunId });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function short(value: number): string {
  return Number.isNaN(value) ? "–" : Number(value.toPrecision(4)).toString();
}
