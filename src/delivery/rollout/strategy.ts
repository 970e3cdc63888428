import { z } from "zod";
import { TRIAL_METRICS, type TrialMetric } from "./outcome-metric.ts";

/** How requests move to a new model version, as a deploy step says it. */
export interface StrategyDeclaration {
  readonly canary?: number | string | readonly (number | string)[] | undefined;
  readonly shadow?: true | undefined;
  readonly ab?: number | string | undefined;
  readonly bandit?: "thompson" | undefined;
  readonly header?: string | undefined;
  readonly sticky_by?: string | undefined;
  readonly watch?: string | undefined;
  readonly rollback_on?: "alert" | undefined;
  readonly min_requests?: number | undefined;
  readonly max_errors?: string | undefined;
  readonly max_p95?: string | undefined;
  readonly max_p99?: string | undefined;
  readonly max_shift?: string | undefined;
  readonly metric?: TrialMetric | undefined;
  readonly max_loss?: number | undefined;
  readonly min_gain?: number | undefined;
  readonly min_share?: string | undefined;
}

const SHARE = /^(100(\.0+)?|\d{1,2}(\.\d+)?)%$/;
const share = z.string().regex(SHARE, "expected a share from 0% to 100%, as 10%");
const percent = z.union([z.number().min(0).max(100), share]);
const headerName = z
  .string()
  .regex(/^[a-zA-Z0-9-]{1,100}$/, "expected the name of a header, as x-arm")
  .transform((name) => name.toLowerCase());
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
  ab: percent
    .optional()
    .describe(
      "Share of the requests, by their entity key, that the new version answers until the labels show which version is better.",
    ),
  bandit: z
    .literal("thompson")
    .optional()
    .describe(
      "The share of the new version follows the labels: it is the chance that it is the better one, as they show it (Thompson sampling).",
    ),
  header: headerName
    .optional()
    .describe("A header with which a request chooses its version itself: `stable` or `candidate`."),
  sticky_by: headerName
    .optional()
    .describe("A header that says who asks, and always gets the same version; default: the entity key of each row."),
  watch: duration
    .optional()
    .describe("How long the new version is watched at least, at each share; default 30m, of `ab` and `bandit` 1d."),
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
  min_gain: z
    .number()
    .min(0)
    .optional()
    .describe("Of `ab` and `bandit`: by how much the metric must be better at least; default 0."),
  min_share: share
    .refine((text) => toPercent(text) > 0 && toPercent(text) <= 50, "expected more than 0% and at most 50%")
    .optional()
    .describe("Of `bandit`: the share that neither version falls below; default 5%."),
});

/** `strategy` of a deploy step. What is not here is refused where the file is read. */
export const strategySchema: z.ZodType<StrategyDeclaration> = schema
  .refine((declared) => kindsOf(declared).length < 2, {
    message: "canary, shadow, ab and bandit exclude each other",
    path: ["shadow"],
  })
  .refine((declared) => kindsOf(declared).length > 0, {
    message: "expected canary, shadow, ab or bandit; without any, leave `strategy` out",
  })
  .refine(({ shadow, header, sticky_by }) => shadow === undefined || (header ?? sticky_by) === undefined, {
    message: "a shadow predicts every row: leave header and sticky_by out",
    path: ["header"],
  })
  .refine((declared) => !isComparison(declared) || declared.metric !== undefined, {
    message: "ab and bandit compare the versions by their labels: name a metric, as `metric: accuracy`",
    path: ["metric"],
  })
  .refine(({ bandit, metric }) => bandit === undefined || metric !== "roc_auc", {
    message: "a bandit needs a metric that each row has by itself, as accuracy or reward",
    path: ["metric"],
  })
  .refine((declared) => !isComparison(declared) || declared.max_loss === undefined, {
    message: "ab and bandit ask for a version that is better: use min_gain",
    path: ["max_loss"],
  })
  .refine((declared) => isComparison(declared) || declared.min_gain === undefined, {
    message: "min_gain belongs to ab and bandit; how much worse a canary may be says max_loss",
    path: ["min_gain"],
  })
  .refine(({ bandit, min_share }) => bandit !== undefined || min_share === undefined, {
    message: "min_share belongs to bandit",
    path: ["min_share"],
  })
  .refine(({ canary }) => !Array.isArray(canary) || isGrowing(canary.map(toPercent)), {
    message: "expected shares that grow, as [1%, 10%, 50%]",
    path: ["canary"],
  })
  .refine(({ metric, max_loss }) => metric !== undefined || max_loss === undefined, {
    message: "max_loss says by how much a metric may be worse: name it with metric",
    path: ["max_loss"],
  });

function kindsOf({ canary, shadow, ab, bandit }: StrategyDeclaration): readonly unknown[] {
  return [canary, shadow, ab, bandit].filter((kind) => kind !== undefined);
}

function isComparison({ ab, bandit }: StrategyDeclaration): boolean {
  return ab !== undefined || bandit !== undefined;
}

function isGrowing(shares: readonly number[]): boolean {
  return shares.every((one, index) => index === 0 || one > (shares[index - 1] ?? 0));
}

/** `10%` or 10 as 10. */
export function toPercent(written: number | string): number {
  return typeof written === "number" ? written : Number(written.slice(0, -1));
}
