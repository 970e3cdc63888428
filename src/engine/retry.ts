import { isEsteiraError } from "#base";
import type { RetryDefinition } from "#pipeline";

/** Without `retry` in the step, what may help is tried twice more: an unreachable store, a busy server. */
const DEFAULT_RETRY: RetryDefinition = { times: 2, delaysMs: [1000, 5000], backoff: 1, jitter: 0.2, on: ["transient"] };
const LONGEST_DELAY_MS = 24 * 3_600_000;

/** How an attempt failed, as `retry.on` sees it. */
export interface Failure {
  readonly error: unknown;
  readonly timedOut: boolean;
}

/**
 * Milliseconds until the next attempt; undefined when there is none.
 *
 * @param failures failed attempts before this one
 * @param random 0 ≤ x < 1
 */
export function retryDelay(
  retry: RetryDefinition | undefined,
  failures: number,
  failure: Failure,
  random: () => number,
): number | undefined {
  const rule = retry ?? DEFAULT_RETRY;
  if (failures >= rule.times || !matches(rule, failure)) return undefined;
  const listed = rule.delaysMs[Math.min(failures, rule.delaysMs.length - 1)] ?? 0;
  const beyond = Math.max(0, failures - rule.delaysMs.length + 1);
  const delay = Math.min(listed * rule.backoff ** beyond, LONGEST_DELAY_MS);
  return Math.round(delay * (1 + rule.jitter * (2 * random() - 1)));
}

function matches(rule: RetryDefinition, { error, timedOut }: Failure): boolean {
  if (isEsteiraError(error) && NEVER.has(error.code)) return false;
  if (rule.on.length === 0) return true;
  return rule.on.some((cause) => {
    if (cause === "timeout") return timedOut;
    if (cause === "transient") return isEsteiraError(error) && error.kind === "transient";
    if (!isEsteiraError(error)) return false;
    const ending = error.context["ending"];
    return error.code === cause || (typeof ending === "string" && ending.endsWith(cause));
  });
}

/** The same again gives the same: the definition, or what it needs, is wrong. */
const NEVER: ReadonlySet<string> = new Set([
  "PIPELINE_DEFINITION_INVALID",
  "PIPELINE_INPUT_MISSING",
  "PIPELINE_EXECUTOR_UNKNOWN",
  "PIPELINE_KIND_UNKNOWN",
  "PIPELINE_RESOURCES_MISSING",
  "PIPELINE_SECRET_MISSING",
  "PIPELINE_VALUE_UNSAFE",
  "PIPELINE_EXPRESSION_WRONG",
]);
