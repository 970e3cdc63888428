import { messageOf } from "#base";
import type { EngineParts } from "./engine-parts.ts";

const LONGEST_TIMER_MS = 3_600_000;
const AFTER_FAILURE_MS = 5000;

/** Does what is due, then sleeps until the next is; wakes early when the store changes. */
export interface DueLoop {
  start(): Promise<void>;
  /** Looks soon: something has become due. */
  wake(): void;
  stop(): void;
}

/**
 * @param what for the log
 * @param run does what is due and says when to call it again, epoch milliseconds; undefined: when something changes
 */
export function createDueLoop(parts: EngineParts, what: string, run: () => Promise<number | undefined>): DueLoop {
  let timer: NodeJS.Timeout | undefined;
  let nextAtMs: number | undefined;
  let running = false;
  let again = false;
  let unsubscribe: (() => void) | undefined;

  const tick = async (): Promise<void> => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      do {
        again = false;
        nextAtMs = await run();
      } while (again && unsubscribe !== undefined);
    } catch (error) {
      parts.log.error(`due ${what} could not be run`, { error: messageOf(error) });
      nextAtMs = parts.clock.now() + AFTER_FAILURE_MS;
    } finally {
      running = false;
    }
    clearTimeout(timer);
    if (unsubscribe === undefined || nextAtMs === undefined) return;
    timer = setTimeout(() => void tick(), Math.min(Math.max(nextAtMs - parts.clock.now(), 1), LONGEST_TIMER_MS));
  };

  return {
    async start() {
      let looking = false;
      unsubscribe = parts.store.onChange(() => {
        if (looking) return;
        looking = true;
        // A registered pipeline may bring an earlier time: look once in a while, not at every commit.
        setTimeout(() => ((looking = false), unsubscribe === undefined ? undefined : void tick()), 1000).unref();
      });
      await tick();
    },
    wake() {
      if (unsubscribe !== undefined) void tick();
    },
    stop() {
      clearTimeout(timer);
      unsubscribe?.();
      unsubscribe = undefined;
    },
  };
}
