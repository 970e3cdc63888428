import { z } from "zod";
import { WRITTEN_BINDINGS } from "./project-choices.ts";
import { DAY_MS } from "./values.ts";

const momentSchema = z
  .string()
  .regex(
    /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/,
    "expected a day such as 2026-12-20, or a moment such as 2026-12-20T18:00Z",
  )
  .refine((text) => !Number.isNaN(Date.parse(text)), "there is no such day");

const freezeSchema = z
  .strictObject({
    from: momentSchema.describe("First day, in UTC, or moment."),
    to: momentSchema.describe("Last day, in UTC and whole, or moment."),
    reason: z.string().max(200).optional().describe("For whoever is held up."),
  })
  .transform(({ from, to, reason }) => ({
    from: new Date(from).toISOString(),
    to: new Date(Date.parse(to) + (to.includes("T") ? 0 : DAY_MS)).toISOString(),
    ...(reason === undefined ? {} : { reason }),
  }))
  .refine(({ from, to }) => from < to, "a freeze ends after it begins");

/** An environment with its rules. */
export const environmentSchema = z
  .strictObject({
    description: z.string().optional().describe("What this environment is for."),
    approvals: z
      .int()
      .min(0)
      .max(20)
      .default(0)
      .describe("Approvals a release needs, each by someone other than its author. Default 0: none."),
    bind: z
      .enum(WRITTEN_BINDINGS)
      .default("version")
      .describe(
        "`version`: each model or code digest needs its own approval. `recipe`: an approved recipe (code, params, installed packages, gate and deployment, not data) lets every model through that it makes with a passing verdict, so retraining can go live by itself; `source` is its old name. Default version.",
      ),
    sandbox: z
      .boolean()
      .default(false)
      .describe(
        "Steps of a pipeline that deploys to this environment, and the releases themselves, run their processes in a sandbox, or not at all where there is none; what was made without one is not deployed here. Default false.",
      ),
    isolation: z
      .enum(["none", "sandbox"])
      .optional()
      .describe("`sandbox`: the same as `sandbox: true`. Default none: nothing is required."),
    signed: z
      .boolean()
      .default(false)
      .describe(
        "Only approvals that reviewers signed with a key of their own count: see `esteira key create`. Default false.",
      ),
    reviewers: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe("Users whose approvals count, of those who are reviewers. Default: all of them."),
    freeze: z
      .array(freezeSchema)
      .max(100)
      .default([])
      .describe("Times in which nothing new is deployed; what ran there before can be brought back."),
  })
  .refine(({ sandbox, isolation }) => !(sandbox && isolation === "none"), {
    error: "`isolation: none` and `sandbox: true` contradict each other: leave one out",
    path: ["isolation"],
  })
  .refine(
    ({ approvals, reviewers }) => reviewers === undefined || new Set(reviewers).size >= approvals,
    "there are fewer reviewers than approvals, so nobody could ever approve",
  );
