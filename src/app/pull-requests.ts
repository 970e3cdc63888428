import { type Log, messageOf } from "#base";
import { createCommitStatusChannel, createPreviews, type Previews, type PullRequestOptions } from "#delivery";
import { acceptsPullRequest } from "#workflows";
import type { Outbox } from "#outbox";
import type { Parts } from "./parts.ts";

/** A closed preview whose runs are still ending is looked at again after this time. */
const LOOK_AGAIN_MS = 5000;

/** Pull requests: what starts pipelines, what runs of them, and what their forge is told. */
export interface PullRequests {
  readonly options: PullRequestOptions;
  readonly previews: Previews;
  start(): void;
  stop(): Promise<void>;
}

export function createPullRequests(
  parts: Parts & { readonly outbox: Outbox },
  secret: (name: string) => string | undefined,
): PullRequests {
  const { config, log } = parts;
  const previews = createPreviews({ ...parts, keepMs: config.pull_requests.keep });
  const watch = createWatch(() => previews.sweep(), log);
  return {
    options: { outside: config.pull_requests.outside, accepts: acceptsPullRequest, changed: watch.wake },
    previews,
    start() {
      tellForge(parts, secret);
      watch.wake();
    },
    stop: watch.stop,
  };
}

function tellForge(
  { store, project, config, outbox }: Parts & { readonly outbox: Outbox },
  secret: (name: string) => string | undefined,
): void {
  const { forge } = config;
  if (forge === undefined) return;
  const linkTo = (id: string): string | undefined =>
    forge.pages === undefined ? undefined : `${forge.pages}/runs/${encodeURIComponent(id)}`;
  outbox.add(createCommitStatusChannel({ store, project, forge, secret, linkTo }));
  outbox.wake();
}

function createWatch(
  look: () => Promise<unknown>,
  log: Log,
): { readonly wake: () => void; readonly stop: () => Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let turn: Promise<void> = Promise.resolve();
  const wake = (): void => {
    clearTimeout(timer);
    if (isStopped) return;
    turn = turn
      .then(look)
      .catch((error: unknown) => log.error("previews could not be looked at", { error: messageOf(error) }))
      .then(() => {
        if (isStopped) return;
        clearTimeout(timer);
        timer = setTimeout(wake, LOOK_AGAIN_MS);
        timer.unref();
      });
  };
  return {
    wake,
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await turn;
    },
  };
}
