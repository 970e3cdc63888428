import { createHash } from "node:crypto";
import { z } from "zod";
import type { EndpointStrategy } from "#metadata-store";
import { strategyInvalid } from "./errors.ts";

const BUCKETS = 10_000;
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const percent = z.union([z.number(), z.string().regex(/^\d+(\.\d+)?%$/)]);
const duration = z.string().regex(/^\d+(s|m|h|d)$/);
const schema = z.strictObject({
  canary: percent.optional(),
  shadow: z.union([z.literal(true), percent]).optional(),
  watch: duration.optional(),
  rollback_on: z.literal("alert").optional(),
});

/** Default time that a candidate is watched, in ms. */
const DEFAULT_WATCH_MS = 30 * UNIT_MS.m;

/**
 * Reads a deploy step's `strategy`: `{ canary: 10%, watch: 30m, rollback_on: alert }`, `{ shadow: true, watch: 1d }`, or nothing.
 *
 * @throws SERVING_STRATEGY_INVALID
 */
export function parseStrategy(declared: object | undefined, nowMs: number): EndpointStrategy {
  if (declared === undefined) return { kind: "direct" };
  const found = JSON.stringify(declared);
  const parsed = schema.safeParse(declared);
  if (!parsed.success) throw strategyInvalid({ found, reason: parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`.trim()).join("; ") });
  const { canary, shadow, watch } = parsed.data;
  const untilMs = nowMs + (watch === undefined ? DEFAULT_WATCH_MS : toMs(watch));
  const rollbackOnAlert = parsed.data.rollback_on === "alert";
  if (canary !== undefined && shadow !== undefined) throw strategyInvalid({ found, reason: "canary and shadow exclude each other" });
  if (shadow !== undefined) return { kind: "shadow", sinceMs: nowMs, untilMs, rollbackOnAlert };
  if (canary === undefined) return { kind: "direct" };
  const share = typeof canary === "number" ? canary : Number(canary.slice(0, -1));
  if (!(share >= 0 && share <= 100)) throw strategyInvalid({ found, reason: `${share}% is not between 0% and 100%` });
  return { kind: "canary", percent: share, sinceMs: nowMs, untilMs, rollbackOnAlert };
}

function toMs(text: string): number {
  return Number(text.slice(0, -1)) * UNIT_MS[text.slice(-1) as keyof typeof UNIT_MS];
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
