import { type Clock, type Log, messageOf } from "#base";
import type { Delivery, Rollouts } from "#delivery";
import type { Monitoring } from "#monitoring";

const PAUSE_MS = 5000;
const HOUR_MS = 3600 * 1000;

/**
 * Looks after the endpoints while the platform runs: windows, alerts and their delivery, the end of canaries and
 * shadows; every hour, whether the approvals of what runs still stand.
 */
export function createEndpointWatch({
  monitoring,
  rollouts,
  delivery,
  project,
  clock,
  log,
}: {
  readonly monitoring: Monitoring;
  readonly rollouts: Rollouts;
  readonly delivery: Delivery;
  readonly project: string;
  readonly clock: Clock;
  readonly log: Log;
}): { start(): void; stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;
  let lookedAtMs = 0;

  async function lookAtApprovals(): Promise<void> {
    lookedAtMs = clock.now();
    for (const standing of await delivery.standing(project)) {
      const { environment, asset, problem } = standing;
      if (problem !== undefined) log.warn("what runs is no longer approved", { environment, asset, problem });
      await monitoring.reportStanding({ project, ...standing });
    }
  }

  async function look(): Promise<void> {
    try {
      await monitoring.tick();
      await rollouts.settle();
      await delivery.settle(project);
      if (clock.now() - lookedAtMs >= HOUR_MS) await lookAtApprovals();
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
