import { rolloutMoveInvalid } from "../errors.ts";
import { nextPercent, type TrialPlan } from "./trial-plan.ts";

/**
 * States of a trial: watching (at a share) → watching (at the next one, `advance`) → promoted | aborted | ended |
 * replaced. A trial that has ended never moves again.
 */
export const TRIAL_STATES = ["watching", "promoted", "aborted", "ended", "replaced"] as const;
export type TrialState = (typeof TRIAL_STATES)[number];

export const TRIAL_MOVES = ["advance", "promote", "abort", "end"] as const;
export type TrialMove = (typeof TRIAL_MOVES)[number];

const AFTER: Readonly<Record<TrialMove, TrialState>> = {
  advance: "watching",
  promote: "promoted",
  abort: "aborted",
  end: "ended",
};

/**
 * The state after a move.
 *
 * @throws DELIVERY_ROLLOUT_MOVE_INVALID when the trial cannot make it
 */
export function moveTrial(
  from: { readonly state: TrialState; readonly plan: TrialPlan },
  action: TrialMove,
): TrialState {
  const { state, plan } = from;
  if (state !== "watching") throw rolloutMoveInvalid({ action, state, reason: "it has ended" });
  if (action === "advance" && plan.kind !== "bandit" && nextPercent(plan) === undefined)
    throw rolloutMoveInvalid({ action, state, reason: "there is no larger share in its plan" });
  return AFTER[action];
}
