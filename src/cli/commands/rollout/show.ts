import type { EndpointTrial, TrialArm, TrialCheck } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatCount, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";
import { findEndpoint } from "./endpoint-name.ts";

export const command: Command = {
  usage: "rollout show NAME",
  summary: "Show both versions of a trial side by side, and what the new one must still show",
  options: commonOptions,
  examples: [
    { line: "esteira rollout show delay", does: "The newest trial of the endpoint delay" },
    { line: "esteira rollout show production/delay --json", does: "All of it, for a program" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [given = ""]) =>
    withProject(context, options, async (session) => {
      const { terminal } = context;
      const place = await findEndpoint(session, given, command.usage);
      const { trials } = await session.call("getEndpoint", { params: place });
      if (options["json"] === true) return terminal.printJson({ ...place, trials });
      const [trial] = trials;
      if (trial === undefined) return terminal.print(terminal.say("noTrials"));
      terminal.print(
        `${terminal.style("bold", `${place.environment}/${place.name}`)}  ${nameOf(trial)}, since ${formatTime(trial.startedAtMs)}  ${trial.outcome ?? "open"}`,
      );
      terminal.print(trial.explanation);
      terminal.table([
        ["ARM", "VERSION", "REQUESTS", "ROWS", "FAILED", "P50", "P95", "P99", ...metricColumns(trial.arms)],
        ...trial.arms.map((arm) => rowOfArm(arm, metricColumns(trial.arms).length > 0)),
      ]);
      if (trial.checks.length > 0)
        terminal.table([
          ["CHECK", "STATE", "FOUND", "BETWEEN", "LIMIT", "OF", "NEEDED"],
          ...trial.checks.map(rowOfCheck),
        ]);
    }),
};

/** Columns of the metric, where there is one. */
function metricColumns(arms: readonly TrialArm[]): readonly string[] {
  const named = arms.find(({ metric }) => metric !== undefined)?.metric?.name;
  return named === undefined ? [] : ["LABELLED", named.toUpperCase()];
}

function nameOf({ kind, percent, steps, header }: EndpointTrial): string {
  if (percent === undefined) return kind;
  const chosen = header === undefined ? "" : `, or as the header ${header} says`;
  return steps === undefined
    ? `${kind} ${percent}%${chosen}`
    : `${kind} ${percent}% of ${steps.map((step) => `${step}%`).join(" → ")}${chosen}`;
}

function rowOfArm(arm: TrialArm, hasMetric: boolean): readonly string[] {
  const milliseconds = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(1)} ms`);
  return [
    arm.arm,
    `${arm.model} ${arm.modelVersion}`,
    formatCount(arm.requests),
    formatCount(arm.rows),
    arm.failures.length === 0 ? "0" : arm.failures.map(({ code, count }) => `${count} ${code}`).join(", "),
    milliseconds(arm.p50Ms),
    milliseconds(arm.p95Ms),
    milliseconds(arm.p99Ms),
    ...(hasMetric
      ? [formatCount(arm.metric?.rows ?? 0), arm.metric === undefined ? "–" : arm.metric.value.toPrecision(4)]
      : []),
  ];
}

function rowOfCheck(check: TrialCheck): readonly string[] {
  const { name, state, value, low, high, limit, count, needed, subject } = check;
  const say = (number: number | undefined): string => (number === undefined ? "" : format(name, number));
  return [
    subject ?? name,
    state,
    say(value),
    low === undefined && high === undefined ? "" : `${say(low)} … ${say(high)}`,
    say(limit),
    count === undefined ? "" : formatCount(count),
    needed === undefined ? "" : `about ${formatCount(needed)}`,
  ];
}

function format(name: TrialCheck["name"], value: number): string {
  if (name === "errors" || name === "outputs") return `${(value * 100).toFixed(1)} %`;
  if (name === "latency") return `${value.toFixed(1)} ms`;
  return name === "requests" ? formatCount(value) : value.toPrecision(3);
}
