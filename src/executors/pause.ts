import { setTimeout as delay } from "node:timers/promises";

/** Waits, or until somebody wants no more of it. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

/** Longer with each try, from one second to half a minute; what is given up waits no more, and fails as it did. */
export async function pauseBefore(tries: number, abandon: AbortSignal | undefined, error: unknown): Promise<void> {
  if (abandon?.aborted === true) throw error;
  const ms = Math.min(1000 * 2 ** tries, 30_000);
  await delay(ms, undefined, abandon === undefined ? {} : { signal: abandon }).catch(() => {
    throw error;
  });
}
