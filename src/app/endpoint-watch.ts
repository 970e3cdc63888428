import { type Log, messageOf } from "#base";
import type { Delivery } from "#delivery";
import type { Monitoring } from "#monitoring";
import type { Serving } from "#serving";

const PAUSE_MS = 5000;

/**
 * Looks after the endpoints while the platform runs: windows, alerts and their delivery, the end of canaries and
 * shadows.
 */
export function createEndpointWatch({
  monitoring,
  serving,
  delivery,
  project,
  log,
}: {
  readonly monitoring: Monitoring;
  readonly serving: Serving;
  readonly delivery: Delivery;
  readonly project: string;
  readonly log: Log;
}): { start(): void; stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;

  async function look(): Promise<void> {
    try {
      await monitoring.tick();
      await serving.target.settleTrials();
      await delivery.settle(project);
    } catch (error) {
      log.error("the endpoints could not be looked after", { error: messageOf(error) });
    }
    if (!stopped) schedule();
  }

  function schedule(): void {
    timer = setTimeout(() => (turn = look()), PAUSE_MS);
    timer.unref();
  }

  return {
    start() {
      if (timer === undefined) schedule();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await turn;
    },
  };
}
