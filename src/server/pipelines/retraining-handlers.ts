import type { RetrainingPolicy, RetrainingDecision as DecisionView } from "#api";
import type { Platform } from "#app";
import { listRetrainings, type RetrainingDecision, type RetrainingState } from "#engine";
import type { ApiHandlers } from "../api/api-mounts.ts";

/** Policies for training again. */
export function createRetrainingHandlers({
  store,
  project,
  clock,
}: Pick<Platform, "store" | "project" | "clock">): Pick<ApiHandlers, "listRetrainings"> {
  return {
    listRetrainings: async () => ({
      pipelines: (await listRetrainings(store, { project, nowMs: clock.now() })).map(toView),
    }),
  };
}

function toView(state: RetrainingState): RetrainingPolicy {
  const limits = state.reasons.flatMap(({ untilMs }) => untilMs ?? []);
  return {
    pipeline: state.pipeline,
    atMost: state.atMost,
    budget: state.budget,
    params: state.params,
    reasons: state.reasons,
    nextAtMs: limits.length === 0 ? undefined : Math.max(...limits),
    waiting: state.waiting.map(toCause),
    decisions: state.decisions.map(toDecision),
  };
}

const DECIDED = {
  "retraining.started": "started",
  "retraining.waited": "waited",
  "retraining.skipped": "skipped",
  "retraining.withdrawn": "withdrawn",
} as const satisfies Record<RetrainingDecision["event"]["type"], DecisionView["decided"]>;

function toDecision({ event, models }: RetrainingDecision): DecisionView {
  return {
    decided: DECIDED[event.type],
    atMs: event.atMs,
    causes: event.data.causes.map(toCause),
    reasons: event.data.reasons,
    pipelineRunId: event.type === "retraining.started" ? event.data.pipelineRunId : undefined,
    models,
    why: event.type === "retraining.withdrawn" ? event.data.why : undefined,
  };
}

function toCause({ on, subject, atMs }: RetrainingState["waiting"][number]): DecisionView["causes"][number] {
  return { on, subject, atMs };
}
