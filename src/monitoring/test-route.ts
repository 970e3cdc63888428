import { type Clock, messageOf, newId } from "#base";
import type { Alert, AlertEvent } from "#metadata-store/monitoring";
import type { Outbox } from "#outbox";
import { linkTo } from "./alert-channel.ts";
import { type AlertRoutes, routeNotice } from "./alert-routes.ts";
import { routeFailed, routeUnknown } from "./errors.ts";

/** How a receiver took a test. */
export interface RouteTest {
  readonly route: string;
  readonly event: AlertEvent;
  /** Of HTTP, or of the mail server. */
  readonly status: number;
}

/**
 * Tells one route that an alert opened and that it closed, now; the alert is none and is kept nowhere.
 *
 * @throws MONITORING_ROUTE_UNKNOWN, MONITORING_ROUTE_FAILED with what the receiver or the network says
 */
export async function testRoute(
  { project, name }: { readonly project: string; readonly name: string },
  options: {
    readonly routes: AlertRoutes;
    readonly secret: (name: string) => string | undefined;
    readonly outbox: Outbox;
    readonly clock: Clock;
  },
): Promise<readonly RouteTest[]> {
  const { routes, outbox, clock } = options;
  const route = Object.hasOwn(routes.routes, name) ? routes.routes[name] : undefined;
  if (route === undefined) throw routeUnknown({ name, known: Object.keys(routes.routes) });
  const atMs = clock.now();
  const alert = exampleAlert(project, atMs);
  const tests: RouteTest[] = [];
  for (const event of ["opened", "closed"] as const) {
    const told = { alert, event, explanation: undefined, link: linkTo(routes, alert.id), language: routes.language };
    const routed = routeNotice(route, told, { secret: options.secret, atMs });
    if ("refused" in routed) throw routeFailed({ name, reason: routed.refused });
    const { dress, ...message } = routed;
    const { status, body } = await outbox.send({ id: alert.id, ...message }, dress).catch((error: unknown) => {
      const host = URL.parse(message.url)?.host ?? "";
      throw routeFailed({ name, reason: messageOf(error).replaceAll(message.url, host) });
    });
    if (status < 200 || status >= 300)
      throw routeFailed({ name, reason: `it answered ${status}: ${body.slice(0, 300).trim()}` });
    tests.push({ route: name, event, status });
  }
  return tests;
}

function exampleAlert(project: string, atMs: number): Alert {
  return {
    id: newId(atMs),
    project,
    environment: "test",
    endpoint: "test",
    monitor: "test.route",
    metric: "test",
    subject: "",
    segment: "",
    state: "open",
    value: 1,
    threshold: 0.5,
    windowStartMs: atMs,
    windowEndMs: atMs,
    lastWindowStartMs: atMs,
    windows: 1,
    n: 0,
    modelVersionId: undefined,
    message: "This is a test of the route; nothing is wrong.",
    openedAtMs: atMs,
    changedAtMs: atMs,
    changedBy: "test",
    triggered: [],
    explanation: undefined,
    closeReason: "the test is over",
  };
}
