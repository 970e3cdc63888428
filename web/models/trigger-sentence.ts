import type { Trigger } from "#api";

/** Message keys and what they need; the catalogue words them. */
export type TriggerSentence =
  | { readonly key: "trigger.daily"; readonly params: { readonly time: string } }
  | { readonly key: "trigger.weekly"; readonly params: { readonly time: string; readonly day: string } }
  | { readonly key: "trigger.monthly"; readonly params: { readonly time: string; readonly day: number } }
  | { readonly key: "trigger.hourly"; readonly params: { readonly minute: number } }
  | { readonly key: "trigger.minutes"; readonly params: { readonly count: number } }
  | { readonly key: "trigger.cron"; readonly params: { readonly cron: string } }
  | {
      readonly key: `trigger.${"sensor" | "data" | "alert" | "push" | "webhook"}`;
      readonly params: { readonly subject: string };
    };

const DAY_NAMES = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** What starts a pipeline, as a sentence: common schedules in words, others as they are written. */
export function triggerSentence(trigger: Trigger, language: string): TriggerSentence {
  if (trigger.on === "sensor") return { key: "trigger.sensor", params: { subject: trigger.subject ?? "" } };
  // Commits of a pull request are pushes.
  if (trigger.on === "pull_request")
    return { key: "trigger.push", params: { subject: `pull request → ${trigger.subject ?? "*"}` } };
  if (trigger.on !== "schedule") return { key: `trigger.${trigger.on}`, params: { subject: trigger.subject ?? "*" } };
  return scheduleSentence(trigger.cron ?? "", language);
}

function scheduleSentence(cron: string, language: string): TriggerSentence {
  const fields = cron.trim().split(/\s+/);
  const isWithSeconds = fields.length === 6;
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = isWithSeconds ? fields.slice(1) : fields;
  const parts = { minute, hour, day, weekday };
  const isPlain = month === "*" && (!isWithSeconds || fields[0] === "0");
  return (
    (isPlain ? (withinHours(parts) ?? atTime(parts, language)) : undefined) ?? { key: "trigger.cron", params: { cron } }
  );
}

interface CronParts {
  readonly minute: string;
  readonly hour: string;
  readonly day: string;
  readonly weekday: string;
}

/** Schedules that come back within the hour or every hour. */
function withinHours({ minute, hour, day, weekday }: CronParts): TriggerSentence | undefined {
  if (hour !== "*" || day !== "*" || weekday !== "*") return undefined;
  const every = minute === "*" ? "1" : /^\*\/(\d+)$/.exec(minute)?.[1];
  if (every !== undefined) return { key: "trigger.minutes", params: { count: Number(every) } };
  return isNumber(minute) ? { key: "trigger.hourly", params: { minute: Number(minute) } } : undefined;
}

/** Schedules at one time of the day: daily, weekly, monthly. */
function atTime({ minute, hour, day, weekday }: CronParts, language: string): TriggerSentence | undefined {
  if (!isNumber(minute) || !isNumber(hour)) return undefined;
  const time = new Intl.DateTimeFormat(language, { timeStyle: "short", timeZone: "UTC" }).format(
    Date.UTC(2024, 0, 1, Number(hour), Number(minute)),
  );
  if (day === "*" && weekday === "*") return { key: "trigger.daily", params: { time } };
  if (day === "*") {
    const index = isNumber(weekday) ? Number(weekday) % 7 : DAY_NAMES.indexOf(weekday.toLowerCase());
    return index < 0 ? undefined : { key: "trigger.weekly", params: { time, day: weekdayName(index, language) } };
  }
  return isNumber(day) && weekday === "*" ? { key: "trigger.monthly", params: { time, day: Number(day) } } : undefined;
}

/** @param index 0 is Sunday */
function weekdayName(index: number, language: string): string {
  // 2024-01-07 is a Sunday.
  return new Intl.DateTimeFormat(language, { weekday: "long", timeZone: "UTC" }).format(Date.UTC(2024, 0, 7 + index));
}

function isNumber(field: string): boolean {
  return /^\d+$/.test(field);
}
