import { Cron } from "croner";
import { messageOf } from "#base";
import type { ScheduleDefinition } from "./definition.ts";

/** Why a schedule cannot be understood; undefined when it can. */
export function scheduleProblem(
  schedule: ScheduleDefinition,
): { readonly message: string; readonly hint: string } | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone: schedule.timezone });
  } catch {
    return {
      message: `unknown time zone "${schedule.timezone}"`,
      hint: "Use an IANA name such as America/Sao_Paulo or UTC.",
    };
  }
  try {
    if (
      new Cron(schedule.cron, { timezone: schedule.timezone, paused: true, mode: "5-or-6-parts" }).nextRun() === null
    ) {
      return { message: `the schedule "${schedule.cron}" never comes`, hint: "Check day and month." };
    }
    return undefined;
  } catch (error) {
    return {
      message: `the schedule "${schedule.cron}" cannot be read: ${messageOf(error).replace(/^CronPattern: /, "")}`,
      hint: 'Five fields: minute hour day month weekday, for example "0 4 * * *".',
    };
  }
}

/** The first tick after a moment, epoch milliseconds; undefined when none comes. Right across daylight saving. */
export function nextTick(schedule: Pick<ScheduleDefinition, "cron" | "timezone">, afterMs: number): number | undefined {
  return new Cron(schedule.cron, { timezone: schedule.timezone, paused: true, mode: "5-or-6-parts" })
    .nextRun(new Date(afterMs))
    ?.getTime();
}

/** The next ticks after a moment. */
export function nextTicks(
  schedule: Pick<ScheduleDefinition, "cron" | "timezone">,
  afterMs: number,
  count: number,
): readonly number[] {
  const cron = new Cron(schedule.cron, { timezone: schedule.timezone, paused: true, mode: "5-or-6-parts" });
  return cron.nextRuns(count, new Date(afterMs)).map((date) => date.getTime());
}
