import { type Log, messageOf } from "#base";
import type { Monitoring } from "#monitoring";

const EVERY_MS = 5000;

/** Writes what this process counted of its endpoints, where another one judges it; at the end what is left. */
export function keepCounting(of: {
  readonly monitoring: Pick<Monitoring, "count">;
  readonly log: Log;
}): () => Promise<void> {
  let work: Promise<void> | undefined;
  const count = (): Promise<void> =>
    (work ??= of.monitoring
      .count()
      .catch((error: unknown) =>
        of.log.warn("what was counted of the endpoints could not be written", { error: messageOf(error) }),
      )
      .finally(() => (work = undefined)));
  const timer = setInterval(() => void count(), EVERY_MS).unref();
  return async () => {
    clearInterval(timer);
    await work;
    await count();
  };
}
