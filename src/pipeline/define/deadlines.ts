import { z } from "zod";
import type { Problem } from "../step-kind.ts";
import { DURATION, toMilliseconds } from "./duration.ts";
import { scheduleProblem } from "./schedule-expression.ts";

/** By when a pipeline run must have ended: so long after it was asked for, or at a time of each day. */
export type DeadlineDefinition = { readonly withinMs: number } | { readonly at: string; readonly timezone: string };

const CLOCK = /^([01]?\d|2[0-3]):([0-5]\d)(?:\s+(\S+))?$/;
const LONGEST_MS = 365 * 24 * 3_600_000;

/** `deadline` of a pipeline. */
export const deadlineKey = z
  .union([z.number(), z.string()])
  .describe(
    "A run that has not ended so long after it was asked for (30m), or a day on which none has succeeded by then (08:30 America/Sao_Paulo; default UTC), opens an alert. It ends nothing: see timeout.",
  );

/** `deadline` of a step. */
export const stepDeadlineKey = z
  .union([z.number(), z.string()])
  .describe(
    "When it has not ended so long after its pipeline run was asked for (30m), an alert opens. It ends nothing: see timeout.",
  );

/** What is wrong with a deadline; only that of a pipeline may be a time of the day. */
export function deadlineProblems(stated: string | number | undefined, of: "pipeline" | "step"): readonly Problem[] {
  if (stated === undefined) return [];
  const path = ["deadline"];
  const hint =
    of === "pipeline"
      ? "Write a duration (30m, 2h) or a time of the day with its time zone (08:30 America/Sao_Paulo)."
      : "Write a duration such as 30m or 2h.";
  const clock = typeof stated === "string" ? CLOCK.exec(stated.trim()) : null;
  if (clock !== null && of === "pipeline") {
    const problem = scheduleProblem({ cron: "0 0 * * *", timezone: clock[3] ?? "UTC", missed: "once" });
    return problem === undefined ? [] : [{ ...problem, path }];
  }
  if (clock !== null) return [{ path, message: "the deadline of a step is a duration, found a time of the day", hint }];
  if (typeof stated === "string" && !DURATION.test(stated.trim()))
    return [{ path, message: `found the text ${JSON.stringify(stated.slice(0, 60))}, expected a deadline`, hint }];
  const ms = toMilliseconds(typeof stated === "string" ? stated.trim() : stated);
  return ms > 0 && ms <= LONGEST_MS
    ? []
    : [{ path, message: `found ${JSON.stringify(stated)}, expected more than nothing and at most a year`, hint }];
}

/** The stored form of a deadline without mistakes. */
export function toDeadline(stated: string | number): DeadlineDefinition {
  const clock = typeof stated === "string" ? CLOCK.exec(stated.trim()) : null;
  if (clock === null) return { withinMs: toMilliseconds(typeof stated === "string" ? stated.trim() : stated) };
  const [, hour = "", minute = "", timezone = "UTC"] = clock;
  return { at: `${hour.padStart(2, "0")}:${minute}`, timezone };
}

/** The schedule whose ticks are the deadlines of each day. */
export function toDailySchedule({ at, timezone }: { readonly at: string; readonly timezone: string }): {
  readonly cron: string;
  readonly timezone: string;
} {
  const [hour, minute] = at.split(":").map(Number);
  return { cron: `${minute ?? 0} ${hour ?? 0} * * *`, timezone };
}
