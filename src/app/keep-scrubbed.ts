import { messageOf } from "#base";
import type { StorePlatform } from "./platform.ts";

const HOUR_MS = 3600_000;
/** A server that starts has better things to do. */
const FIRST_MS = 600_000;

/**
 * Verifies the store while the platform runs, as often and as fast as `verify` of esteira.yaml says: damage is logged,
 * stands in the event log and on the first page, and opens an alert for each endpoint that it is in.
 */
export function keepScrubbed(
  platform: StorePlatform,
  timing: { readonly firstMs?: number; readonly everyMs?: number } = {},
): () => Promise<void> {
  const { every, rate } = platform.config.verify;
  if (every === undefined) return async () => undefined;
  const { log } = platform;
  const ended = new AbortController();
  let work: Promise<void> | undefined;
  const scrub = async (): Promise<void> => {
    const { scrubStore } = await import("#upkeep");
    const found = await scrubStore(
      { ...platform, folder: platform.config.storeFolder },
      { everyMs: every, bytesPerSecond: rate, actor: "engine", signal: ended.signal },
    );
    if (found === undefined) return;
    for (const { file, problem, versions, releases, endpoints } of found.damages)
      log.error("a file of the store is damaged", { file, problem, versions, releases, endpoints });
    if (platform.isProject) await (await platform.whole()).monitoring.reportDamages(found.damages);
    log.info("verified the store", { ...found, damages: found.damages.length });
  };
  const look = (): void => {
    work ??= scrub()
      .catch((error: unknown) => {
        if (!ended.signal.aborted) log.warn("the store could not be verified", { error: messageOf(error) });
      })
      .finally(() => (work = undefined));
  };
  const first = setTimeout(look, timing.firstMs ?? FIRST_MS);
  const hourly = setInterval(look, timing.everyMs ?? HOUR_MS);
  first.unref();
  hourly.unref();
  return async () => {
    clearTimeout(first);
    clearInterval(hourly);
    ended.abort();
    await work;
  };
}
