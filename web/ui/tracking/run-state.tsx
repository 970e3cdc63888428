import { StateBadge, StateMark } from "../state.tsx";

/** MLflow's words for how a run stands, as the states that all pages show. */
const STATES: Readonly<Record<string, string>> = {
  RUNNING: "running",
  SCHEDULED: "queued",
  FINISHED: "succeeded",
  FAILED: "failed",
  KILLED: "cancelled",
};

export function RunStateBadge({ status }: { readonly status: string }) {
  return <StateBadge state={STATES[status] ?? "none"} />;
}

export function RunStateMark({ status }: { readonly status: string }) {
  return <StateMark state={STATES[status] ?? "none"} />;
}
