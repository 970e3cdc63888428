import { z } from "zod";
import { type LocatedProblem, readYaml } from "#base";
import { BINARY_METRICS, MULTICLASS_METRICS, type MetricName, REGRESSION_METRICS } from "#models";
import {
  fairnessRule,
  type FairnessRule,
  featuresRule,
  type FeaturesRule,
  multivariateRule,
  type MultivariateRule,
  skewRule,
  type SkewRule,
  slicesRule,
  type SlicesRule,
  valueRule,
  type ValueRule,
} from "./watch-rules.ts";
import { objectiveRule, type ObjectiveRule } from "./objective-rule.ts";
import { readWindowSize, WINDOW_PATTERN } from "./window-time.ts";
import { DRIFT_METHODS, type DriftMethod, isPValue } from "./drift-method.ts";

const METRICS = [...new Set<MetricName>([...BINARY_METRICS, ...MULTICLASS_METRICS, ...REGRESSION_METRICS])];

/** How the windows in which an endpoint is watched are cut, as written: `week`, `5000 rows`, `7 days every 1 day`. */
export type WindowSize = string;

const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*$/, "expected letters, digits, _ and -, beginning with a letter");
const share = z.number().min(0).max(1);
const common = {
  description: z.string().optional().describe("Why it is watched, for people."),
  consecutive: z
    .int()
    .min(1)
    .max(50)
    .default(1)
    .describe("Windows in a row that must cross the threshold before an alert opens."),
};
const driftMethod = z
  .enum(DRIFT_METHODS)
  .optional()
  .describe("Statistical test; default: chosen by type and size, as Evidently does.");
const threshold = z.number().min(0).optional().describe("Default: 0.1 for distances, 0.05 for p-values.");

const deviations = z
  .number()
  .positive()
  .max(20)
  .optional()
  .describe(
    "Threshold from the reference itself: the mean over ten chunks of it, and so many standard deviations to the bad side. 3 is usual.",
  );
/** A p-value has its own measure of what is usual. */
const ofDistances = [
  (rule: { readonly method?: DriftMethod | undefined; readonly deviations?: number | undefined }): boolean =>
    rule.deviations === undefined || (rule.method !== undefined && !isPValue(rule.method)),
  "deviations needs a method that is a distance, as jensenshannon",
] as const;

const drift = z.strictObject({
  ...common,
  drift: z
    .strictObject({
      columns: z.array(z.string()).min(1).optional().describe("Inputs to watch; default: all."),
      except: z.array(z.string()).optional().describe("Inputs to leave out."),
      method: driftMethod,
      threshold,
      deviations,
      share: share
        .optional()
        .describe("Alert once when this share of the columns has drifted, instead of once per column."),
      segments: z
        .boolean()
        .optional()
        .describe("Watch the columns in each value of the file's segment columns too, with their default method."),
    })
    .refine(...ofDistances)
    .describe("Inputs against the reference."),
});
const predictionDrift = z.strictObject({
  ...common,
  prediction_drift: z
    .strictObject({ method: driftMethod, threshold, deviations })
    .refine(...ofDistances)
    .describe("What the model answers, against its answers on the reference."),
});
const performance = z.strictObject({
  ...common,
  performance: z
    .strictObject({
      metric: z.enum(METRICS),
      at_least: z.number().optional().describe("Alert below this value."),
      at_most: z.number().optional().describe("Alert above this value."),
      drop: z
        .number()
        .min(0)
        .optional()
        .describe("Alert when it is worse than on the model's test rows by more than this."),
      deviations,
      estimated: z
        .boolean()
        .default(false)
        .describe(
          "Watch the value estimated before labels come: of a classifier from its probabilities, of a regression from the errors that such rows had.",
        ),
      coverage: share.default(0.8).describe("Share of the window's predictions that must have a label."),
      segments: z.boolean().default(false).describe("Watch each value of the file's segment columns too."),
    })
    .refine(
      (rule) =>
        rule.at_least !== undefined ||
        rule.at_most !== undefined ||
        rule.drop !== undefined ||
        rule.deviations !== undefined,
      "give at_least, at_most, drop or deviations",
    ),
});
const quality = z.strictObject({
  ...common,
  quality: z
    .strictObject({
      columns: z.array(z.string()).min(1).optional().describe("Inputs to watch; default: all."),
      null_share: share.optional().describe("Largest share of missing values above the reference's."),
      out_of_range: share.optional().describe("Largest share of numbers outside the reference's range."),
      unseen: share.optional().describe("Largest share of categories that the reference does not have."),
      type_mismatch: share.optional().describe("Largest share of values of another type than the model's input has."),
      duplicates: share.optional().describe("Largest share of rows whose inputs an earlier row of the window had."),
      max_gap_hours: z.number().positive().optional().describe("Longest time without a prediction, in hours."),
      rows_at_least: z.int().min(1).optional().describe("Predictions that a window has at least, whatever `min_rows`."),
      rows_at_most: z.int().min(1).optional().describe("Predictions that a window has at most."),
    })
    .refine(
      ({ columns: _columns, ...limits }) => Object.values(limits).some((limit) => limit !== undefined),
      "give null_share, out_of_range, unseen, type_mismatch, duplicates, max_gap_hours, rows_at_least or rows_at_most",
    ),
});

const fairness = z.strictObject({ ...common, fairness: fairnessRule });
const slices = z.strictObject({ ...common, slices: slicesRule });
const multivariate = z.strictObject({ ...common, multivariate: multivariateRule });
const value = z.strictObject({ ...common, value: valueRule });
const features = z.strictObject({ ...common, features: featuresRule });
const skew = z.strictObject({ ...common, skew: skewRule });
const objective = z.strictObject({ ...common, objective: objectiveRule });

const windowSize = z
  .string()
  .regex(WINDOW_PATTERN, {
    error: ({ input }) =>
      `${JSON.stringify(input)} is no window; expected hour, day, week, or as 6 hours, 5000 rows, 7 days every 1 day, 5000 rows every 1000 rows`,
    abort: true,
  })
  .superRefine((size, context) => {
    const shape = readWindowSize(size);
    if ("problem" in shape) context.addIssue({ code: "custom", message: shape.problem });
  })
  .describe(
    "Rows that are judged together: those of an `hour`, a `day`, a `week` from Monday (UTC) or as `6 hours`; `5000 rows` in the order of their event times; with `every` windows overlap, as `7 days every 1 day`.",
  );

/** Schema of `monitors/*.yaml`; the JSON Schema for editors is made from it. */
export const monitorFileSchema: z.ZodType<MonitorFile> = z
  .strictObject({
    endpoint: name.describe("The endpoint that is watched."),
    environment: name.default("production"),
    window: windowSize.default("week"),
    reference: z
      .enum(["training", "test"])
      .default("training")
      .describe(
        "Rows of the model's training set that the inputs are compared with: those it learned from, or those held out.",
      ),
    min_rows: z.int().min(1).default(200).describe("Windows and segments with fewer rows are not judged."),
    segments: z
      .array(z.string())
      .max(10)
      .default([])
      .describe(
        "Columns by whose values performance is computed too: inputs of the model, or others that the requests carry.",
      ),
    notify: z
      .array(
        z.union([
          name.describe("Name of a route of `alerts.routes` in esteira.yaml."),
          z.strictObject({
            webhook: z.url({ protocol: /^https?$/ }).describe("Address that each opened alert is sent to."),
            secret: z
              .string()
              .regex(/^[A-Za-z][A-Za-z0-9_-]*$/, "expected the name of a secret")
              .optional()
              .describe(
                "Name of the secret that signs it, set as ESTEIRA_SECRET_<NAME>. Without one it is not signed.",
              ),
          }),
        ]),
      )
      .max(20)
      .optional()
      .describe("Who is told of alerts that open and close. Default: the routes of `alerts.default` in esteira.yaml."),
    monitors: z.record(
      name,
      z.union([
        drift,
        predictionDrift,
        performance,
        quality,
        features,
        skew,
        fairness,
        slices,
        multivariate,
        value,
        objective,
      ]),
    ),
  })
  .superRefine(({ window, min_rows: minRows, monitors }, context) => {
    const shape = readWindowSize(window);
    if ("problem" in shape || shape.kind !== "rows") return;
    if (minRows > shape.rows)
      context.addIssue({
        code: "custom",
        path: ["min_rows"],
        message: `no window of ${shape.rows} rows has min_rows, ${minRows}: make it at most ${shape.rows}`,
      });
    for (const [key, rule] of Object.entries(monitors))
      for (const limit of ["rows_at_least", "rows_at_most"] as const)
        if ("quality" in rule && rule.quality[limit] !== undefined)
          context.addIssue({
            code: "custom",
            path: ["monitors", key, "quality", limit],
            message: `a window of ${shape.rows} rows always has as many; watch rows in windows of time`,
          });
  });

interface CommonRule {
  readonly description?: string | undefined;
  readonly consecutive: number;
}

/** One monitor of a file, defaults filled in. */
export type MonitorRule = CommonRule &
  (
    | {
        readonly drift: {
          readonly columns?: readonly string[] | undefined;
          readonly except?: readonly string[] | undefined;
          readonly method?: DriftMethod | undefined;
          readonly threshold?: number | undefined;
          readonly deviations?: number | undefined;
          readonly share?: number | undefined;
          readonly segments?: boolean | undefined;
        };
      }
    | {
        readonly prediction_drift: {
          readonly method?: DriftMethod | undefined;
          readonly threshold?: number | undefined;
          readonly deviations?: number | undefined;
        };
      }
    | {
        readonly performance: {
          readonly metric: MetricName;
          readonly at_least?: number | undefined;
          readonly at_most?: number | undefined;
          readonly drop?: number | undefined;
          readonly deviations?: number | undefined;
          readonly estimated: boolean;
          readonly coverage: number;
          readonly segments: boolean;
        };
      }
    | {
        readonly quality: {
          readonly columns?: readonly string[] | undefined;
          readonly null_share?: number | undefined;
          readonly out_of_range?: number | undefined;
          readonly unseen?: number | undefined;
          readonly type_mismatch?: number | undefined;
          readonly duplicates?: number | undefined;
          readonly max_gap_hours?: number | undefined;
          readonly rows_at_least?: number | undefined;
          readonly rows_at_most?: number | undefined;
        };
      }
    | { readonly fairness: FairnessRule }
    | { readonly features: FeaturesRule }
    | { readonly skew: SkewRule }
    | { readonly slices: SlicesRule }
    | { readonly multivariate: MultivariateRule }
    | { readonly value: ValueRule }
    | { readonly objective: ObjectiveRule }
  );

/** A route by its name, or a webhook. */
export type NotifyEntry = string | { readonly webhook: string; readonly secret?: string | undefined };

/** What one file watches. */
export interface MonitorFile {
  readonly endpoint: string;
  readonly environment: string;
  readonly window: WindowSize;
  readonly reference: "training" | "test";
  readonly min_rows: number;
  readonly segments: readonly string[];
  readonly notify?: readonly NotifyEntry[] | undefined;
  readonly monitors: Readonly<Record<string, MonitorRule>>;
}

/**
 * Reads one `monitors/*.yaml`; reports every mistake with its place.
 *
 * @param file name shown in problems, project-relative
 * Pure; never throws for what the file holds.
 */
export function parseMonitorFile(
  text: string,
  file: string,
): { readonly value: MonitorFile | undefined; readonly problems: readonly LocatedProblem[] } {
  const read = readYaml(text, file, monitorFileSchema);
  return { value: read.value, problems: read.problems };
}
