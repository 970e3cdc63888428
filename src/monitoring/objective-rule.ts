import { z } from "zod";
import type { Outcome } from "#metadata-store/serving";

/** What an endpoint promises: a share of good events over some days. */
export interface ObjectiveRule {
  readonly latency_ms?: number | undefined;
  readonly errors?: true | undefined;
  readonly correct?: true | undefined;
  readonly within?: number | undefined;
  readonly target: number;
  readonly days: number;
  readonly min_events: number;
}

export const objectiveRule: z.ZodType<ObjectiveRule> = z
  .strictObject({
    latency_ms: z.number().positive().optional().describe("Good are answers within so many milliseconds."),
    errors: z.literal(true).optional().describe("Good are requests that did not fail by the server's fault (5xx)."),
    correct: z
      .literal(true)
      .optional()
      .describe("Good are answers that their label says were right: the same class, or the same side of 0.5."),
    within: z
      .number()
      .positive()
      .optional()
      .describe("Good are answers that lie no farther than this from their label: regressions."),
    target: z.number().gt(0).lt(1).describe("Share of events that are to be good, as 0.999."),
    days: z.int().min(1).max(90).default(30).describe("Period that the budget of errors is for. Default 30."),
    min_events: z
      .int()
      .min(1)
      .default(20)
      .describe("Events that the long window has at least; with fewer nothing is said. Default 20."),
  })
  .refine(
    ({ latency_ms: latency, errors, correct, within }) =>
      [latency, errors, correct, within].filter((each) => each !== undefined).length === 1,
    "give one of latency_ms, errors, correct and within",
  )
  .describe("A promise: alerts when its budget of errors burns too fast, over two windows at once.");

/** One request, as the endpoint saw it. */
export interface SeenRequest {
  readonly durationMs: number;
  /** `caller`: refused for what it asked; it counts nowhere. */
  readonly outcome: "answered" | "failed" | "caller";
}

export function kindOf({ latency_ms: latency, errors }: ObjectiveRule): "latency" | "errors" | "quality" {
  return latency !== undefined ? "latency" : errors === true ? "errors" : "quality";
}

/** What is counted: the same for promises that differ in target or period alone. */
export function promiseOf({ latency_ms: latency, errors, within }: ObjectiveRule): string {
  if (latency !== undefined) return `latency<=${latency}`;
  return errors === true ? "errors" : within === undefined ? "correct" : `within=${within}`;
}

/** Whether a request kept the promise; undefined where it does not count. */
export function isKept({ latency_ms: latency, errors }: ObjectiveRule, request: SeenRequest): boolean | undefined {
  if (request.outcome === "caller") return undefined;
  if (latency !== undefined) return request.outcome === "answered" ? request.durationMs <= latency : undefined;
  return errors === true ? request.outcome === "answered" : undefined;
}

/** Whether an answer kept the promise, now that its label is known; undefined where it does not count. */
export function isOutcomeKept(rule: ObjectiveRule, { prediction, label }: Outcome): boolean | undefined {
  if (rule.latency_ms !== undefined || rule.errors === true || prediction === undefined) return undefined;
  if (rule.within !== undefined)
    return typeof prediction === "number" && typeof label === "number"
      ? Math.abs(prediction - label) <= rule.within
      : undefined;
  if (typeof label === "number" && typeof prediction === "number") return prediction >= 0.5 === label >= 0.5;
  return String(prediction) === String(label);
}

/** What a bad event is, for people: `were slower than 250 ms`. */
export function describeObjective({ latency_ms: latency, errors, within }: ObjectiveRule): string {
  if (latency !== undefined) return `were slower than ${latency} ms`;
  if (errors === true) return "failed";
  return within === undefined ? "were wrong" : `were off by more than ${within}`;
}
