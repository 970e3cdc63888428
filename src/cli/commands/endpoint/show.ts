import type { EndpointObjective, EndpointTrial, TrialArm } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "endpoint show ENVIRONMENT/NAME",
  summary: "Show an endpoint and the figures of its trials",
  options: commonOptions,
  examples: [
    { line: "esteira endpoint show production/delay", does: "Which version answers, and how its candidates did" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [address = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const [, environment, name] = /^([^/]+)\/([^/]+)$/.exec(address) ?? [];
      if (environment === undefined || name === undefined)
        throw usageWrong({
          usage: command.usage,
          reason: `${JSON.stringify(address)} is not of the form ENVIRONMENT/NAME`,
        });
      const endpoint = await call("getEndpoint", { params: { environment, name } });
      if (options["json"] === true) return terminal.printJson(endpoint);
      terminal.print(
        `${terminal.style("bold", `${environment}/${name}`)}  ${endpoint.model ?? ""} version ${endpoint.modelVersion ?? ""}  ${endpoint.runtime ?? ""}  ${endpoint.path}`,
      );
      if (endpoint.objectives.length > 0)
        terminal.table([
          ["OBJECTIVE", "TARGET", "GOOD", "OF", "BUDGET LEFT", "BURNS 1H/5M", "6H/30M", "3D/6H", ""],
          ...endpoint.objectives.map(rowOfObjective),
        ]);
      if (endpoint.trials.length === 0) return terminal.print(terminal.say("noTrials"));
      terminal.table([
        ["TRIAL", "SINCE", "OUTCOME", "ARM", "VERSION", "REQUESTS", "ROWS", "FAILED", "P50", "P95", "WHY"],
        ...endpoint.trials.flatMap(rowsOf),
      ]);
    }),
};

function rowOfObjective(objective: EndpointObjective): readonly string[] {
  const { monitor, target, days, good, total, budgetLeft, burns } = objective;
  return [
    monitor,
    `${percent(target)} of ${days} d`,
    formatCount(good),
    formatCount(total),
    percent(budgetLeft),
    ...burns.map(({ longRate, shortRate }) => `${longRate.toPrecision(3)}/${shortRate.toPrecision(3)}`),
    burns.some(({ isBurning }) => isBurning) ? "burns too fast" : "",
  ];
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(4))} %`;
}

function rowsOf(trial: EndpointTrial): readonly string[][] {
  return trial.arms.map((arm, index) => [
    ...(index === 0
      ? [
          trial.percent === undefined ? trial.kind : `${trial.kind} ${trial.percent}%`,
          formatTime(trial.startedAtMs),
          trial.outcome ?? "open",
        ]
      : ["", "", ""]),
    arm.arm,
    String(arm.modelVersion),
    formatCount(arm.requests),
    formatCount(arm.rows),
    failuresOf(arm),
    milliseconds(arm.p50Ms),
    milliseconds(arm.p95Ms),
    index === 0 ? trial.explanation : comparisonOf(trial),
  ]);
}

function failuresOf({ failures }: TrialArm): string {
  return failures.length === 0 ? "0" : failures.map(({ code, count }) => `${count} ${code}`).join(", ");
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "–" : `${value.toFixed(1)} ms`;
}

function comparisonOf({ comparison }: EndpointTrial): string {
  return comparison === undefined
    ? ""
    : `${formatCount(comparison.rows)} rows compared, mean difference ${comparison.meanDifference.toPrecision(3)}, ${(comparison.agreedShare * 100).toFixed(1)} % equal`;
}
