import { z } from "zod";

/** How requests move to a new model version, as a deploy step says it. */
export interface StrategyDeclaration {
  readonly canary?: number | string | undefined;
  readonly shadow?: true | undefined;
  readonly watch?: string | undefined;
  readonly rollback_on?: "alert" | undefined;
  readonly min_requests?: number | undefined;
  readonly max_p95?: string | undefined;
}

const percent = z.union([
  z.number().min(0).max(100),
  z.string().regex(/^(100(\.0+)?|\d{1,2}(\.\d+)?)%$/, "expected a share from 0% to 100%, as 10%"),
]);
const duration = z.string().regex(/^\d+(s|m|h|d)$/, "expected a time as 90s, 30m, 2h or 1d");

/** `strategy` of a deploy step. What is not here is refused where the file is read. */
export const strategySchema: z.ZodType<StrategyDeclaration> = z
  .strictObject({
    canary: percent
      .optional()
      .describe("Share of the requests, by their entity key, that the new version answers while it is watched."),
    shadow: z
      .literal(true)
      .optional()
      .describe("The new version predicts the same rows, and nobody sees its answers but the comparison."),
    watch: duration.optional().describe("How long the new version is watched; default 30m."),
    rollback_on: z.literal("alert").optional().describe("An alert of the endpoint ends the trial."),
    min_requests: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .optional()
      .describe("Requests that the new version must have had before it may take over; default 20."),
    max_p95: z
      .string()
      .regex(/^\d+(ms|s)$/, "expected a time as 200ms or 2s")
      .optional()
      .describe("A new version whose 95th percentile of answering is slower does not take over."),
  })
  .refine(({ canary, shadow }) => canary === undefined || shadow === undefined, {
    message: "canary and shadow exclude each other",
    path: ["shadow"],
  })
  .refine(({ canary, shadow }) => canary !== undefined || shadow !== undefined, {
    message: "expected canary or shadow; without either, leave `strategy` out",
  });
