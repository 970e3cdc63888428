import type { WindowReport, WindowScore } from "#api";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "endpoint scores ENVIRONMENT/NAME",
  summary: "Show what monitoring computed of one window of an endpoint",
  options: {
    at: { type: "string", value: "TIME", help: "The window that holds this time; default: the newest." },
    window: {
      type: "string",
      value: "WINDOW",
      help: "Of the monitors with this `window`, as `5000 rows`; default: that of the endpoint's first monitor.",
    },
    breached: { type: "boolean", help: "Only what is out of bounds." },
    ...commonOptions,
  },
  examples: [
    { line: "esteira endpoint scores production/delay", does: "Performance, estimates and drift of the newest window" },
    {
      line: "esteira endpoint scores production/delay --at 2026-03-02 --breached",
      does: "What was wrong in that window",
    },
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
      const at = parseTime(textOption(options, "at"));
      const size = textOption(options, "window");
      const window = await call("getEndpointWindow", {
        params: { environment, name },
        query: { ...(at === undefined ? {} : { at }), ...(size === undefined ? {} : { size }) },
      });
      if (options["json"] === true) return terminal.printJson(window);
      terminal.print(headOf(window));
      const scores = window.scores.filter(({ breached }) => options["breached"] !== true || breached === true);
      if (scores.length === 0)
        return terminal.print(terminal.say(window.scores.length === 0 ? "noFigures" : "nothingBreached"));
      terminal.table([
        ["METRIC", "OF", "VALUE", "BY CHANCE", "REFERENCE", "THRESHOLD", "ROWS", ""],
        ...scores.map(rowOf),
      ]);
    }),
};

function parseTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs))
    throw usageWrong({ usage: command.usage, reason: `--at ${JSON.stringify(text)} is no time, as 2026-03-02` });
  return atMs;
}

function headOf(window: WindowReport): string {
  const state = window.isClosed ? "closed" : "open";
  return `${window.size} ${formatTime(window.startMs)} – ${formatTime(window.endMs)} (${state}): ${formatCount(window.predictionCount)} predictions, ${formatCount(window.labelledCount)} labelled`;
}

function rowOf(score: WindowScore): readonly string[] {
  const band = score.low === undefined || score.high === undefined ? "" : `${short(score.low)} – ${short(score.high)}`;
  return [
    score.metric,
    [score.column, score.segment].filter((part) => part !== undefined).join(" · "),
    score.value === undefined ? "–" : short(score.value),
    band,
    score.baseline === undefined ? "" : short(score.baseline),
    score.threshold === undefined ? "" : short(score.threshold),
    formatCount(score.rows),
    score.breached === true ? "out of bounds" : (score.reason ?? ""),
  ];
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
