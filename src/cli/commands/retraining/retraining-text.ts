import type { RetrainingDecision, RetrainingReason } from "#api";
import { formatDuration, formatTime } from "../../format.ts";
import type { Terminal } from "../../terminal.ts";

/** What keeps a pipeline from training again, in the reader's language. */
export function reasonText(terminal: Terminal, { kind, untilMs, since = [], pipelineRunId }: RetrainingReason): string {
  const at = untilMs === undefined ? "" : formatTime(untilMs);
  switch (kind) {
    case "running":
      return terminal.say("retrainRunning", { id: pipelineRunId ?? "" });
    case "nothing_new":
      return terminal.say("retrainNothingNew", {
        versions: since.map(({ asset, version }) => `${asset}@v${version}`).join(", "),
      });
    case "at_most":
      return terminal.say("retrainAtMost", { at });
    case "budget":
      return terminal.say("retrainBudget", { at });
  }
}

/** One decision: what came of it and why. */
export function decisionText(terminal: Terminal, decision: RetrainingDecision): string {
  const reasons = decision.reasons.map((reason) => reasonText(terminal, reason)).join("; ");
  switch (decision.decided) {
    case "started": {
      const models = (decision.models ?? []).map(({ asset, version, isNew }) =>
        terminal.say(isNew ? "retrainMade" : "retrainReused", { model: `${asset}@v${version}` }),
      );
      return [terminal.say("retrainStarted", { id: decision.pipelineRunId ?? "" }), ...models].join(": ");
    }
    case "waited":
      return terminal.say("retrainWaits", { reasons });
    case "skipped":
      return terminal.say("retrainSkipped", { reasons });
    case "withdrawn":
      return terminal.say(decision.why === "trained" ? "retrainTrained" : "retrainAlertsClosed");
  }
}

/** `1 of 1 per 7 d`. */
export function limitText(
  limit: { readonly amount: number; readonly periodMs: number; readonly used: number } | undefined,
  format: (value: number) => string,
): string {
  return limit === undefined
    ? ""
    : `${format(limit.used)} / ${format(limit.amount)} per ${formatDuration(limit.periodMs)}`;
}
