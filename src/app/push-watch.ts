import { type Log, messageOf } from "#base";
import type { CaughtUpPush } from "#delivery";

const PAUSE_MS = 30_000;

/**
 * Looks for pushes whose event never arrived: at the start of the platform and twice a minute. A commit whose pipelines
 * have mistakes is told once.
 */
export function createPushWatch({
  catchUp,
  log,
}: {
  /** Of each repository. */
  readonly catchUp: readonly (() => Promise<readonly CaughtUpPush[]>)[];
  readonly log: Log;
}): { start(): Promise<void>; stop(): Promise<void> } {
  const told = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;

  async function look(): Promise<void> {
    for (const one of catchUp) await lookIn(one);
    if (!stopped) schedule();
  }

  async function lookIn(repository: () => Promise<readonly CaughtUpPush[]>): Promise<void> {
    try {
      for (const push of await repository()) tell(push);
    } catch (error) {
      tellOnce(messageOf(error), () =>
        log.warn("pushes that were not announced could not be looked for", { error: messageOf(error) }),
      );
    }
  }

  function tell({ branch, commit, pipelineRuns, error }: CaughtUpPush): void {
    if (error === undefined) log.info("a push that was not announced was found", { branch, commit, pipelineRuns });
    else
      tellOnce(`${branch} ${commit}`, () =>
        log.error("a push starts nothing", { branch, commit, error: messageOf(error) }),
      );
  }

  function tellOnce(what: string, say: () => void): void {
    if (told.has(what)) return;
    told.add(what);
    say();
  }

  function schedule(): void {
    timer = setTimeout(() => (turn = look()), PAUSE_MS);
    timer.unref();
  }

  return {
    async start() {
      await (turn = look());
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await turn;
    },
  };
}
