import { useSyncExternalStore } from "react";

const STEP_MS = 1000;
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function tick(): void {
  nowMs = Date.now();
  for (const each of listeners) each();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    // While nothing showed the time it stood still, and in a hidden tab it may.
    tick();
    timer = setInterval(tick, STEP_MS);
    document.addEventListener("visibilitychange", tick);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    document.removeEventListener("visibilitychange", tick);
    timer = undefined;
  };
}

/** The time, renewed each second while something shows it. `everyMs` thins the renewals out. */
export function useNow(everyMs: number = STEP_MS): number {
  return useSyncExternalStore(subscribe, () => nowMs - (nowMs % everyMs));
}
