import type { AlertAdvice, AlertExplanation } from "#api";
import type { Alert, AlertEvent } from "#metadata-store/monitoring";

/** What is told of an alert. */
export interface Told {
  readonly alert: Alert;
  readonly event: AlertEvent;
  readonly explanation: AlertExplanation | undefined;
  /** Page of the alert; undefined where the address of the page is not known. */
  readonly link: string | undefined;
}

const ADVICE: Readonly<Record<AlertAdvice["kind"], (advice: AlertAdvice) => string>> = {
  roll_back: ({ name, version }) => `Bring ${name ?? ""} version ${version ?? ""} back.`,
  look_at_run: ({ name, version, pipelineRunId }) =>
    `Look at what made ${name ?? ""} version ${version ?? ""}${pipelineRunId === undefined ? "" : ` (pipeline run ${pipelineRunId})`}.`,
  restore_dataset: ({ name, version }) => `Give ${name ?? ""} the content of version ${version ?? ""} again.`,
  ask_callers: () => "Ask those who call the endpoint: the values come with their requests.",
  look_at_segments: () => "Look at the worst rows first.",
  compare_performance: () => "Compare with the performance: inputs that moved do not say that answers are worse.",
  retrain: () => "Train again once the data of this time are in.",
  check_traffic: () => "See whether the callers reach the endpoint.",
};

/** One line: `[open] production/delay: delay.drift distance`. */
export function titleOf({ alert, event }: Told): string {
  const of = [alert.subject, alert.segment].filter((part) => part !== "").join(", ");
  const place = [alert.environment, alert.endpoint].filter((part) => part !== "").join("/");
  return `[${event === "opened" ? "open" : "closed"}] ${place}: ${alert.monitor}${of === "" ? "" : ` ${of}`}`;
}

/** The lines below the title: what crossed what, since when, where, what changed, what to do. */
export function linesOf({ alert, event, explanation, link }: Told): readonly string[] {
  const lines = [alert.message];
  if (event === "closed") lines.push(`Closed: ${alert.closeReason ?? "by hand"}.`);
  else if (explanation !== undefined) lines.push(...explain(explanation));
  if (link !== undefined) lines.push(link);
  return lines;
}

function explain({ since, columns, segments, causes, advice }: AlertExplanation): readonly string[] {
  const time = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const lines = [`Since ${time(since.atMs ?? since.windowStartMs)}.`];
  if (columns.length > 0) lines.push(`Columns: ${columns.map(({ column }) => column).join(", ")}.`);
  if (segments.length > 0)
    lines.push(
      `Worst: ${segments
        .slice(0, 5)
        .map(({ segment, value }) => `${segment} (${short(value)})`)
        .join(", ")}.`,
    );
  for (const { kind, name, fromVersion, toVersion, atMs, schema } of causes.slice(0, 3))
    lines.push(
      `Changed: ${kind} ${name} ${fromVersion ?? "–"} → ${toVersion}, ${time(atMs)}${schema.length === 0 ? "" : ` (${schema.join(", ")})`}.`,
    );
  return [...lines, ...advice.map((each) => `→ ${ADVICE[each.kind](each)}`)];
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
