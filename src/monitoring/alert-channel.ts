import type { Clock } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  type AlertNotice,
  claimAlertNotices,
  listMonitors,
  nextAlertNoticeMs,
  saveNotice,
} from "#metadata-store/monitoring";
import type { Channel, Dress, Message } from "#outbox";
import { type AlertRoute, type AlertRoutes, isRepeated, REPEAT_MS, routeNotice } from "./alert-routes.ts";
import { readExplanation } from "./explanation.ts";
import { monitorNotify } from "./monitor-set.ts";

const MOST_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 5000;
const ROUTE = "route:";

interface AlertMessage extends Message {
  readonly notice: AlertNotice;
  readonly dress: Dress | { readonly refused: string };
  readonly isRepeated: boolean;
}

export interface AlertChannelOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly routes: AlertRoutes;
  /** Value of a secret by name; undefined when it is not set. */
  readonly secret: (name: string) => string | undefined;
}

/** A route as a receiver of notices, beside the addresses of webhooks. */
export function toTarget(route: string): string {
  return `${ROUTE}${route}`;
}

/**
 * What waits to be told of alerts, that they opened and that they closed: the alert's id is stable; a failure is tried
 * again after 5 s, 10 s, 20 s, …, eight times in all, and stays visible. A receiver that forgets is told again every
 * minute while the alert is open.
 */
export function createAlertChannel(options: AlertChannelOptions): Channel<AlertMessage> {
  return {
    name: "alert",
    mostAttempts: MOST_ATTEMPTS,
    isWorthAnother: () => true,
    pauseMs: (attempts) => FIRST_PAUSE_MS * 2 ** (attempts - 1),
    nextDueMs: nextAlertNoticeMs,
    claim: async (transaction, claim) => {
      const messages: AlertMessage[] = [];
      for (const notice of await claimAlertNotices(transaction, claim)) {
        const { alert } = notice;
        const monitors = await listMonitors(transaction, {
          project: alert.project,
          environment: alert.environment,
          endpoint: alert.endpoint,
        });
        const declared = monitors.find(({ name }) => name === alert.monitor);
        messages.push(toMessage(notice, findRoute(notice, monitorNotify(declared), options.routes), options));
      }
      return messages;
    },
    dress: async ({ dress }) => dress,
    record: (transaction, message, { state, attempts, dueAtMs, error }) => {
      const { alert, event, target, deliveredAtMs } = message.notice;
      const nowMs = options.clock.now();
      // Once it was told, it is told again: whoever is away for long hears of it when it is back.
      const again =
        message.isRepeated &&
        event === "opened" &&
        state !== "pending" &&
        (state === "delivered" || deliveredAtMs !== undefined);
      return saveNotice(transaction, {
        alertId: alert.id,
        event,
        target,
        attempts: again ? 0 : attempts,
        state: again ? "pending" : state,
        nextAtMs: again ? nowMs + REPEAT_MS : dueAtMs,
        lastError: error?.replaceAll(message.url, hostOf(message.url)),
        deliveredAtMs: state === "delivered" ? dueAtMs : deliveredAtMs,
      });
    },
  };
}

/** The host alone: addresses may hold secrets. */
function hostOf(url: string): string {
  return URL.parse(url)?.host ?? "";
}

/** How a target is reached; undefined when nothing names it any more. */
function findRoute(
  { target }: AlertNotice,
  notify: readonly (string | Extract<AlertRoute, { webhook: unknown }>)[],
  { routes }: AlertRoutes,
): AlertRoute | undefined {
  if (target.startsWith(ROUTE)) {
    const name = target.slice(ROUTE.length);
    return Object.hasOwn(routes, name) ? routes[name] : undefined;
  }
  return notify.filter((entry) => typeof entry !== "string").find(({ webhook }) => webhook === target);
}

function toMessage(
  notice: AlertNotice,
  route: AlertRoute | undefined,
  { routes, secret, clock }: AlertChannelOptions,
): AlertMessage {
  const { alert, event, target, attempts } = notice;
  const bare = { id: alert.id, attempts, notice, isRepeated: route !== undefined && isRepeated(route) };
  if (route === undefined) {
    const refused = target.startsWith(ROUTE)
      ? `there is no route "${target.slice(ROUTE.length)}" any more`
      : `the monitor ${alert.monitor} no longer names this address`;
    return { ...bare, url: "", body: "", dress: { refused } };
  }
  const link = linkTo(routes, alert.id);
  const routed = routeNotice(
    route,
    { alert, event, explanation: readExplanation(alert.explanation), link, language: routes.language },
    { secret, atMs: clock.now() },
  );
  return "refused" in routed ? { ...bare, url: "", body: "", dress: routed } : { ...bare, ...routed };
}

/** The page on which an alert explains itself. */
export function linkTo({ url }: AlertRoutes, alertId: string): string | undefined {
  return url === undefined ? undefined : `${url.replace(/\/+$/, "")}/alerts?alert=${alertId}`;
}
