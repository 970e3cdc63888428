import { advanceSchedule, isPaused, listDueSchedules, listSchedules } from "#metadata-store/engine";
import { type KnownPartitions, newestPartitions, nextTick } from "#pipeline";
import { findPartitions } from "./partitions.ts";
import { enqueuePipeline } from "./trigger.ts";
import type { EngineParts } from "./engine-parts.ts";

/** A tick found later than this counts as missed. */
const ON_TIME_MS = 60_000;
const MOST_MISSED_TICKS = 100;
const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * Starts the pipelines whose tick has come: cost grows with the due ones, not with all. Several engines may call it at
 * once.
 *
 * @returns when to call it again, epoch milliseconds; undefined when no schedule has a next tick
 */
export async function runDueSchedules(parts: EngineParts): Promise<number | undefined> {
  const now = parts.clock.now();
  const due = await parts.store.read((transaction) =>
    listDueSchedules(transaction, { project: parts.project, atMs: now }),
  );
  for (const schedule of due) {
    const ticks = ticksSince(schedule, now);
    const known = await findPartitions(parts, schedule.pipeline);
    await parts.store.write(async (transaction) => {
      const nextAtMs = nextTick(schedule, now) ?? NEVER;
      if (!(await advanceSchedule(transaction, { ...schedule, fromMs: schedule.next_at_ms, nextAtMs }))) return;
      if (await isPaused(transaction, schedule)) return;
      for (const { tick, partition } of ticks.flatMap((tick) => partitionsOfTick(known, tick))) {
        await enqueuePipeline(transaction, schedule.pipeline, {
          project: parts.project,
          partition,
          trigger: {
            kind: "schedule",
            subject: schedule.cron,
            cause: { cron: schedule.cron, timezone: schedule.timezone, tickAtMs: tick },
          },
          actor: "engine",
          atMs: now,
          isAutomatic: true,
        });
      }
    });
  }
  const [next] = await parts.store.read((transaction) =>
    listSchedules(transaction, { project: parts.project, limit: 1 }),
  );
  return next === undefined || next.next_at_ms === NEVER ? undefined : next.next_at_ms;
}

/** A tick of a pipeline with partitions runs those that ended last before it. */
function partitionsOfTick(
  known: KnownPartitions,
  tick: number,
): readonly { readonly tick: number; readonly partition: string | undefined }[] {
  if (known.definition.partitions === undefined) return [{ tick, partition: undefined }];
  return newestPartitions(known, tick).map(({ name }) => ({ tick, partition: name }));
}

/** The ticks to run now, by the schedule's rule for missed ones. */
export function ticksSince(
  schedule: {
    readonly cron: string;
    readonly timezone: string;
    readonly missed: "skip" | "once" | "all";
    readonly next_at_ms: number;
  },
  now: number,
): readonly number[] {
  const ticks: number[] = [];
  for (
    let tick: number | undefined = schedule.next_at_ms;
    tick !== undefined && tick <= now;
    tick = nextTick(schedule, tick)
  ) {
    ticks.push(tick);
    if (ticks.length > MOST_MISSED_TICKS) ticks.shift();
  }
  if (schedule.missed === "all") return ticks;
  const last = ticks.at(-1);
  if (last === undefined) return [];
  return schedule.missed === "once" || now - last < ON_TIME_MS ? [last] : [];
}
