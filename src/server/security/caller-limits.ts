import type { Identity } from "#access";
import { requestsTooMany } from "../errors.ts";

/** What one caller may ask of the server. */
export interface RequestLimits {
  /** Requests that are answered at once. */
  readonly concurrency: number;
  /** Requests a second, in the long run; as many at once after a rest. No limit when undefined. */
  readonly rate?: number | undefined;
}

/** Counts the requests of each caller. */
export interface CallerLimits {
  /**
   * Counts a request; the answer lets go of it, once.
   *
   * @param identity who calls; without one, the address counts
   * @throws SERVER_REQUESTS_TOO_MANY with the seconds to wait
   */
  enter(identity: Identity | undefined, address: string): () => void;
}

interface Caller {
  active: number;
  /** Requests that may come at once. */
  left: number;
  /** When `left` was right, ms. */
  at: number;
}

/** Callers that rest are forgotten, at the latest when there are so many. */
const REMEMBERED = 10_000;
/** When one of many requests at once will be answered is not known. */
const BUSY_SECONDS = 1;

/**
 * One caller never takes all of a server: who asks for more than the limits is told when to ask again.
 *
 * @param now milliseconds that only grow
 */
export function createCallerLimits(
  { concurrency, rate }: RequestLimits,
  now: () => number = () => performance.now(),
): CallerLimits {
  const callers = new Map<string, Caller>();
  const most = Math.max(1, rate ?? 1);

  function refill(caller: Caller): void {
    const at = now();
    caller.left = rate === undefined ? most : Math.min(most, caller.left + ((at - caller.at) / 1000) * rate);
    caller.at = at;
  }

  function forgetResting(): void {
    for (const [key, caller] of callers) {
      refill(caller);
      if (caller.active === 0 && caller.left >= most) callers.delete(key);
    }
  }

  return {
    enter(identity, address) {
      const key = identity === undefined ? `address ${address}` : `${identity.kind} ${identity.name}`;
      if (callers.size >= REMEMBERED && !callers.has(key)) forgetResting();
      const caller = callers.get(key) ?? { active: 0, left: most, at: now() };
      callers.set(key, caller);
      refill(caller);
      if (caller.active >= concurrency)
        throw requestsTooMany({ caller: key, limit: `${concurrency} at once`, seconds: BUSY_SECONDS });
      if (rate !== undefined && caller.left < 1)
        throw requestsTooMany({
          caller: key,
          limit: `${rate} a second`,
          seconds: Math.max(1, Math.ceil((1 - caller.left) / rate)),
        });
      caller.left -= rate === undefined ? 0 : 1;
      caller.active++;
      let isIn = true;
      return () => {
        if (!isIn) return;
        isIn = false;
        caller.active--;
        if (rate === undefined && caller.active === 0) callers.delete(key);
      };
    },
  };
}
