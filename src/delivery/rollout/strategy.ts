import { z } from "zod";
import { TRIAL_METRICS, type TrialMetric } from "./outcome-metric.ts";

/** How requests move to a new model version, as a deploy step says it. */
export interface StrategyDeclaration {
  readonly canary?: number | string | readonly (number | string)[] | undefined;
  readonly shadow?: true | undefined;
  readonly watch?: string | undefined;
  readonly rollback_on?: "alert" | undefined;
  readonly min_requests?: number | undefined;
  readonly max_errors?: string | undefined;
  readonly max_p95?: string | undefined;
  readonly max_p99?: string | undefined;
  readonly max_shift?: string | undefined;
  readonly metric?: TrialMetric | undefined;
  readonly max_loss?: number | undefined;
}

const SHARE = /^(100(\.0+)?|\d{1,2}(\.\d+)?)%$/;
const share = z.string().regex(SHARE, "expected a share from 0% to 100%, as 10%");
const percent = z.union([z.number().min(0).max(100), share]);
const duration = z.string().regex(/^\d+(s|m|h|d)$/, "expected a time as 90s, 30m, 2h or 1d");

const schema = z.strictObject({
  canary: z
    .union([percent, z.array(percent).min(1).max(20)])
    .optional()
    .describe(
      "Share of the requests, by their entity key, that the new version answers while it is watched; or growing shares, one after the other: [1%, 10%, 50%].",
    ),
  shadow: z
    .literal(true)
    .optional()
    .describe("The new version predicts the same rows, and nobody sees its answers but the comparison."),
  watch: duration.optional().describe("How long the new version is watched at least, at each share; default 30m."),
  rollback_on: z
    .literal("alert")
    .optional()
    .describe("An alert of the endpoint ends the trial, and so does a monitor that the new version's own rows break."),
  min_requests: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .optional()
    .describe("Requests that the new version must have had at each share; default 20."),
  max_errors: share
    .refine(
      (text) => toPercent(text) > 0,
      "expected more than 0%: no number of requests shows that none will ever fail",
    )
    .optional()
    .describe("By how much the share of requests that fail may exceed the stable version's; default 1%."),
  max_p95: z
    .string()
    .regex(/^\d+(ms|s)$/, "expected a time as 200ms or 2s")
    .optional()
    .describe("A new version whose 95th percentile of answering is slower does not take over."),
  max_p99: z
    .string()
    .regex(
      /^(\d+(ms|s)|\d+(\.\d+)?x)$/,
      "expected a time as 200ms or 2s, or a multiple of the stable version's as 1.5x",
    )
    .optional()
    .describe("The same of the 99th percentile, as a time or a multiple of the stable version's; default 2x and 10ms."),
  max_shift: share
    .optional()
    .describe(
      "How far the distribution of its answers may lie from the stable version's; default 25%, never more than 100%.",
    ),
  metric: z
    .enum(TRIAL_METRICS)
    .optional()
    .describe("What is computed of both versions when labels come; without enough of them it does not take over."),
  max_loss: z
    .number()
    .gt(0)
    .optional()
    .describe("By how much the metric may be worse than the stable version's; default 0.02."),
});

/** `strategy` of a deploy step. What is not here is refused where the file is read. */
export const strategySchema: z.ZodType<StrategyDeclaration> = schema
  .refine(({ canary, shadow }) => canary === undefined || shadow === undefined, {
    message: "canary and shadow exclude each other",
    path: ["shadow"],
  })
  .refine(({ canary, shadow }) => canary !== undefined || shadow !== undefined, {
    message: "expected canary or shadow; without either, leave `strategy` out",
  })
  .refine(({ canary }) => !Array.isArray(canary) || isGrowing(canary.map(toPercent)), {
    message: "expected shares that grow, as [1%, 10%, 50%]",
    path: ["canary"],
  })
  .refine(({ metric, max_loss }) => metric !== undefined || max_loss === undefined, {
    message: "max_loss says by how much a metric may be worse: name it with metric",
    path: ["max_loss"],
  });

function isGrowing(shares: readonly number[]): boolean {
  return shares.every((one, index) => index === 0 || one > (shares[index - 1] ?? 0));
}

/** `10%` or 10 as 10. */
export function toPercent(written: number | string): number {
  return typeof written === "number" ? written : Number(written.slice(0, -1));
}
