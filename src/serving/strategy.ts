import { createHash } from "node:crypto";
import { type StrategyDeclaration, strategySchema } from "#delivery";
import type { EndpointStrategy } from "#metadata-store/serving";
import { strategyInvalid } from "./errors.ts";

const BUCKETS = 10_000;
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Default time that a candidate is watched, in ms. */
const DEFAULT_WATCH_MS = 30 * UNIT_MS.m;
/** Default number of requests without which a candidate does not take over. */
export const DEFAULT_MIN_REQUESTS = 20;

/**
 * Reads a deploy step's `strategy`: `{ canary: 10%, watch: 30m, rollback_on: alert, min_requests: 100, max_p95: 200ms
 * }`,
 * `{ shadow: true, watch: 1d }`, or nothing.
 *
 * @throws SERVING_STRATEGY_INVALID
 */
export function parseStrategy(declared: object | undefined, nowMs: number): EndpointStrategy {
  if (declared === undefined) return { kind: "direct" };
  const parsed = strategySchema.safeParse(declared);
  if (!parsed.success)
    throw strategyInvalid({
      found: JSON.stringify(declared),
      reason: parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`.trim()).join("; "),
    });
  const { canary, shadow } = parsed.data;
  const trial = trialOf(parsed.data, nowMs);
  if (shadow !== undefined) return { kind: "shadow", ...trial };
  return {
    kind: "canary",
    percent: typeof canary === "number" ? canary : Number((canary ?? "0%").slice(0, -1)),
    ...trial,
  };
}

function trialOf(
  { watch, rollback_on, min_requests, max_p95 }: StrategyDeclaration,
  nowMs: number,
): Omit<Extract<EndpointStrategy, { kind: "shadow" }>, "kind"> {
  return {
    sinceMs: nowMs,
    untilMs: nowMs + (watch === undefined ? DEFAULT_WATCH_MS : toMs(watch)),
    rollbackOnAlert: rollback_on === "alert",
    minRequests: min_requests ?? DEFAULT_MIN_REQUESTS,
    ...(max_p95 === undefined ? {} : { maxP95Ms: toMs(max_p95) }),
  };
}

function toMs(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

/**
 * Whether a routing unit belongs to the candidate. Sticky: the same unit gets the same answer in every process, as long
 * as the candidate and its share stay; a larger share keeps the units that were in.
 *
 * @param trial the candidate's version id
 * @param unit entity key, or whatever the caller routes by
 */
export function isCandidateUnit(trial: string, unit: string, sharePercent: number): boolean {
  const bucket = createHash("sha256").update(`${trial}\u0000${unit}`).digest().readUInt32BE(0) % BUCKETS;
  return bucket < (sharePercent / 100) * BUCKETS;
}
