import { messageOf } from "#base";
import type { StorePlatform } from "./platform.ts";

const MINUTE_MS = 60_000;
/** A request that is being answered is younger. */
const AGE_MS = MINUTE_MS;
/** So many rows, or an hour of few, leave the database together. */
const UNLESS = { rows: 50_000, waitMs: 60 * MINUTE_MS };

/** Moves predictions out of the database while the platform runs. */
export function keepMoving(
  platform: Pick<StorePlatform, "project" | "log" | "whole">,
  timing: { readonly everyMs?: number } = {},
): () => Promise<void> {
  const { project, log } = platform;
  const ended = new AbortController();
  let work: Promise<void> | undefined;
  const move = async (): Promise<void> => {
    try {
      const { predictions } = await platform.whole();
      for (const { environment, endpoint, moved } of await predictions.move({
        project,
        ageMs: AGE_MS,
        unless: UNLESS,
        signal: ended.signal,
      }))
        if (moved > 0) log.info("moved predictions out of the database", { environment, endpoint, moved });
    } catch (error) {
      if (!ended.signal.aborted)
        log.warn("predictions could not be moved out of the database", { error: messageOf(error) });
    }
  };
  const timer = setInterval(() => {
    work ??= move().finally(() => (work = undefined));
  }, timing.everyMs ?? MINUTE_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    ended.abort();
    await work;
  };
}
