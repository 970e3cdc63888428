import { z } from "zod";
import { messageOf } from "#base";
import { parseValueExpression } from "./value-expression.ts";
import { FAIRNESS_METRICS, type FairnessMetric, isRatio } from "./statistics/fairness.ts";

/** How groups of rows are treated. */
export interface FairnessRule {
  /** Columns whose values are the groups. */
  readonly attributes: readonly string[];
  readonly metric: FairnessMetric;
  readonly at_most?: number | undefined;
  readonly at_least?: number | undefined;
  readonly min_group: number;
}

/** Where a model got worse. */
export interface SlicesRule {
  readonly effect: number;
  readonly false_discovery: number;
  readonly predicates: number;
  readonly columns?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
}

export const MULTIVARIATE_METHODS = ["reconstruction", "domain_classifier"] as const;
export type MultivariateMethod = (typeof MULTIVARIATE_METHODS)[number];

/** All inputs together. */
export interface MultivariateRule {
  readonly method: MultivariateMethod;
  readonly threshold?: number | undefined;
  readonly deviations: number;
  readonly columns?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
}

/** Features of the endpoint's feature service. */
export interface FeaturesRule {
  readonly columns?: readonly string[] | undefined;
  readonly missing_share?: number | undefined;
  readonly stale_share?: number | undefined;
}

/** Online values against the offline join. */
export interface SkewRule {
  readonly share: number;
  readonly columns?: readonly string[] | undefined;
  readonly sample: number;
}

/** What answers are worth. */
export interface ValueRule {
  readonly expression: string;
  readonly per: "row" | "window";
  readonly at_least?: number | undefined;
  readonly at_most?: number | undefined;
}

const share = z.number().min(0).max(1);

export const featuresRule: z.ZodType<FeaturesRule> = z
  .strictObject({
    columns: z.array(z.string()).min(1).optional().describe("Features to watch; default: all."),
    missing_share: share
      .optional()
      .describe("Largest share of rows for which the online store had no value of a feature, or a default stood in."),
    stale_share: share
      .optional()
      .describe("Largest share of rows for which its value was older than the view's `ttl`, at the row's own time."),
  })
  .refine(
    (rule) => rule.missing_share !== undefined || rule.stale_share !== undefined,
    "give missing_share or stale_share",
  )
  .describe("Features that the endpoint reads online; what callers send themselves does not count.");

export const skewRule: z.ZodType<SkewRule> = z
  .strictObject({
    share: share
      .default(0)
      .describe(
        "Largest share of the compared rows whose online value of a feature is not what the offline join gives.",
      ),
    columns: z.array(z.string()).min(1).optional().describe("Features to watch; default: all."),
    sample: z
      .int()
      .min(1)
      .max(100_000)
      .default(10_000)
      .describe("Rows of a window that are compared at most: a uniform sample of those that read features online."),
  })
  .describe(
    "Features that the endpoint read online, computed again by the offline join; what callers send themselves does not count.",
  );

export const fairnessRule: z.ZodType<FairnessRule> = z
  .strictObject({
    attributes: z
      .array(z.string())
      .min(1)
      .max(10)
      .describe("Columns whose values are the groups: inputs of the model, or others that the requests carry."),
    metric: z.enum(FAIRNESS_METRICS).describe("Measure of how the groups differ, by fairlearn's names."),
    at_most: share.optional().describe("Alert above this difference."),
    at_least: share.optional().describe("Alert below this ratio; 0.8 is the four-fifths rule."),
    min_group: z
      .int()
      .min(1)
      .default(100)
      .describe("Groups with fewer rows (or labels, where they are needed) do not count."),
  })
  .refine(
    (rule) => (isRatio(rule.metric) ? rule.at_least !== undefined : rule.at_most !== undefined),
    "give at_most for a difference, at_least for a ratio",
  )
  .describe("How groups of rows are treated: classifiers of two classes.");

export const slicesRule: z.ZodType<SlicesRule> = z
  .strictObject({
    effect: z
      .number()
      .positive()
      .default(0.2)
      .describe(
        "Alert when the errors of some rows grew by so many standard deviations more than those of the others.",
      ),
    false_discovery: z.number().gt(0).max(0.5).default(0.05).describe("Share of the found slices that may be chance."),
    predicates: z.int().min(1).max(3).default(3).describe("Conditions that a slice has at most."),
    columns: z.array(z.string()).min(1).optional().describe("Columns that slices are made of; default: all inputs."),
    except: z.array(z.string()).optional().describe("Columns to leave out."),
  })
  .describe("Searches the rows with labels for those where the model got worse.");

export const multivariateRule: z.ZodType<MultivariateRule> = z
  .strictObject({
    method: z.enum(MULTIVARIATE_METHODS),
    threshold: z
      .number()
      .min(0)
      .optional()
      .describe("Default: of `domain_classifier` 0.65; of `reconstruction` what follows from `deviations`."),
    deviations: z
      .number()
      .positive()
      .max(20)
      .default(3)
      .describe(
        "Standard deviations from the mean over ten chunks of the reference, on both sides; of `reconstruction`.",
      ),
    columns: z.array(z.string()).min(1).optional().describe("Inputs that are looked at; default: all."),
    except: z.array(z.string()).optional().describe("Inputs to leave out."),
  })
  .describe("All inputs together: what columns one by one do not show.");

export const valueRule: z.ZodType<ValueRule> = z
  .strictObject({
    expression: z
      .string()
      .min(1)
      .max(1000)
      .check((context) => {
        try {
          parseValueExpression(context.value);
        } catch (error) {
          context.issues.push({ code: "custom", message: messageOf(error), input: context.value });
        }
      })
      .describe("Of one row: its columns, prediction and label, as `if(label = 1 and prediction > 0.5, 20, -1)`."),
    per: z.enum(["row", "window"]).default("row").describe("The mean of a row, or the sum of all rows of the window."),
    at_least: z.number().optional().describe("Alert below this value."),
    at_most: z.number().optional().describe("Alert above this value."),
  })
  .refine((rule) => rule.at_least !== undefined || rule.at_most !== undefined, "give at_least or at_most")
  .describe("What the answers are worth, or cost.");
