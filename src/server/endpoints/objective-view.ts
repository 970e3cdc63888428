import type { EndpointObjective } from "#api";
import { kindOfObjective, type ObjectiveState } from "#monitoring";

/** A promise of an endpoint, as it stands. */
export function toObjective({ monitor, rule, count, budgetLeft, burns }: ObjectiveState): EndpointObjective {
  return {
    monitor,
    kind: kindOfObjective(rule),
    latencyMs: rule.latency_ms,
    within: rule.within,
    target: rule.target,
    days: rule.days,
    good: count.good,
    total: count.total,
    budgetLeft,
    burns,
  };
}
