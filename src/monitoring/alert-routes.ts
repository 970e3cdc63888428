import type { Dress, Mail } from "#outbox";
import { linesOf, type NoticeLanguage, titleOf, type Told } from "./notice-text.ts";

/** A way to tell somebody of alerts, as `esteira.yaml` declares it: secrets by name. */
export type AlertRoute =
  | { readonly webhook: string; readonly secret?: string | undefined }
  | { readonly slack: string }
  | {
      readonly alertmanager: string;
      readonly token?: string | undefined;
      readonly labels: Readonly<Record<string, string>>;
    }
  | {
      readonly pagerduty: string;
      readonly address: string;
      readonly severity: "critical" | "error" | "warning" | "info";
    }
  | {
      readonly email: {
        readonly host: string;
        readonly port: number;
        readonly security: "starttls" | "tls" | "none";
        readonly user?: string | undefined;
        readonly password?: string | undefined;
        readonly from: string;
        readonly to: readonly string[];
      };
    };

/** Routes by name, those of files without `notify`, and where the page is. */
export interface AlertRoutes {
  readonly routes: Readonly<Record<string, AlertRoute>>;
  readonly default: readonly string[];
  readonly url?: string | undefined;
  /** Of mails and messages. Default: English. */
  readonly language?: NoticeLanguage | undefined;
}

/** A notice in the form of its receiver. */
export interface RoutedNotice {
  readonly url: string;
  readonly body: string;
  readonly mail?: Mail;
  readonly dress: Dress;
}

type Secrets = (name: string) => string | undefined;

/** While an alert is open an Alertmanager is told again so often, as Prometheus does. */
export const REPEAT_MS = 60_000;
/** It takes an alert for resolved that it was not told of for this long. */
const FORGOTTEN_MS = 4 * REPEAT_MS;
const LONGEST_SUMMARY = 1024;
const LONGEST_SECTION = 3000;
const LONGEST_HEADER = 150;

const SIGNED: Pick<Dress, "headers" | "signatureForm"> = {
  signatureForm: "sha256",
  headers: { id: "x-esteira-alert", timestamp: "x-esteira-timestamp", signature: "x-esteira-signature" },
};

/** Whether a receiver forgets what it is not told again. */
export function isRepeated(route: AlertRoute): boolean {
  return "alertmanager" in route;
}

/**
 * A notice as a route's receiver wants it.
 *
 * @returns `refused` while a secret that it needs is not set: nothing is sent without
 */
export function routeNotice(
  route: AlertRoute,
  told: Told,
  { secret, atMs }: { readonly secret: Secrets; readonly atMs: number },
): RoutedNotice | { readonly refused: string } {
  const names = secretsOf(route);
  const missing = names.find((name) => (secret(name) ?? "") === "");
  if (missing !== undefined)
    return {
      refused: `the secret "${missing}" is not set: ESTEIRA_SECRET_${missing.toUpperCase().replaceAll("-", "_")}`,
    };
  const value = (name: string | undefined): string | undefined => (name === undefined ? undefined : secret(name));
  if ("webhook" in route)
    return { url: route.webhook, body: webhookBody(told), dress: { ...SIGNED, secret: value(route.secret) } };
  const unsigned: Dress = { secret: undefined };
  if ("slack" in route) {
    const url = URL.parse(value(route.slack) ?? "");
    if (url === null || !/^https?:$/.test(url.protocol))
      return { refused: `the secret "${route.slack}" is no address` };
    return { url: url.href, body: JSON.stringify(slackForm(told)), dress: unsigned };
  }
  if ("alertmanager" in route) {
    const token = value(route.token);
    return {
      url: `${route.alertmanager.replace(/\/+$/, "")}/api/v2/alerts`,
      body: JSON.stringify([alertmanagerForm(told, route.labels, atMs)]),
      dress: token === undefined ? unsigned : { ...unsigned, authorization: `Bearer ${token}` },
    };
  }
  if ("pagerduty" in route)
    return {
      url: route.address,
      body: JSON.stringify(pagerdutyForm(told, value(route.pagerduty) ?? "", route.severity)),
      dress: unsigned,
    };
  return mailOf(route.email, told, value(route.email.password));
}

function secretsOf(route: AlertRoute): readonly string[] {
  const named =
    "webhook" in route
      ? route.secret
      : "slack" in route
        ? route.slack
        : "alertmanager" in route
          ? route.token
          : "pagerduty" in route
            ? route.pagerduty
            : route.email.password;
  return named === undefined ? [] : [named];
}

/** Own form: the whole alert. */
function webhookBody({ alert, event, explanation }: Told): string {
  return JSON.stringify({ type: `alert.${event}`, alert: { ...alert, explanation } });
}

/** Source: Slack, Sending messages using incoming webhooks; mrkdwn escapes `&`, `<` and `>` alone. */
function slackForm(told: Told): object {
  const title = titleOf(told);
  const escape = (text: string): string =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const lines = linesOf({ ...told, link: undefined }).map(escape);
  const link = told.link === undefined ? [] : [`<${told.link}|${escape(told.alert.monitor)}>`];
  return {
    text: escape(title),
    blocks: [
      { type: "header", text: { type: "plain_text", text: title.slice(0, LONGEST_HEADER) } },
      { type: "section", text: { type: "mrkdwn", text: [...lines, ...link].join("\n").slice(0, LONGEST_SECTION) } },
      { type: "context", elements: [{ type: "mrkdwn", text: `esteira ${told.alert.id}` }] },
    ],
  };
}

/** Source: Alertmanager API v2, postableAlert. Equal labels are one alert; `endsAt` in the past resolves it. */
function alertmanagerForm(
  { alert, event, explanation, link }: Told,
  labels: Readonly<Record<string, string>>,
  atMs: number,
): object {
  const told = { alert, event, explanation, link };
  const own = {
    alertname: alert.monitor,
    service: "esteira",
    project: alert.project,
    environment: alert.environment,
    endpoint: alert.endpoint,
    metric: alert.metric,
    subject: alert.subject,
    segment: alert.segment,
  };
  return {
    // A label without a value is one that is not there.
    labels: Object.fromEntries(Object.entries({ ...labels, ...own }).filter(([, value]) => value !== "")),
    annotations: { summary: alert.message, description: linesOf(told).join("\n"), alert: alert.id },
    startsAt: new Date(alert.openedAtMs).toISOString(),
    endsAt: new Date(
      event === "closed" ? Math.max(alert.changedAtMs, alert.openedAtMs + 1) : atMs + FORGOTTEN_MS,
    ).toISOString(),
    ...(link === undefined ? {} : { generatorURL: link }),
  };
}

/** Source: PagerDuty Events API v2. `resolve` closes what has the same `dedup_key`. */
function pagerdutyForm(told: Told, routingKey: string, severity: string): object {
  const { alert, event, explanation, link } = told;
  const names = { routing_key: routingKey, dedup_key: alert.id };
  if (event === "closed") return { ...names, event_action: "resolve" };
  return {
    ...names,
    event_action: "trigger",
    client: "esteira",
    ...(link === undefined ? {} : { client_url: link, links: [{ href: link, text: alert.monitor }] }),
    payload: {
      summary: `${titleOf(told)}: ${alert.message}`.slice(0, LONGEST_SUMMARY),
      source: `${alert.project}/${alert.environment}/${alert.endpoint}`,
      severity,
      timestamp: new Date(alert.openedAtMs).toISOString(),
      component: alert.endpoint,
      group: alert.environment,
      class: alert.metric,
      custom_details: {
        value: alert.value,
        threshold: alert.threshold,
        rows: alert.n,
        // Histograms would exceed the 512 kB that an event may have only with many columns; people read lines.
        explanation: linesOf({ ...told, link: undefined }),
        since: explanation?.since,
      },
    },
  };
}

function mailOf(
  { host, port, security, user, from, to }: Extract<AlertRoute, { email: unknown }>["email"],
  told: Told,
  password: string | undefined,
): RoutedNotice {
  const { alert, event } = told;
  const domain = from.slice(from.lastIndexOf("@") + 1);
  const idOf = (of: string): string => `${alert.id}.${of}@${domain}`;
  return {
    url: `smtp://${host.includes(":") ? `[${host}]` : host}:${port}`,
    body: `${linesOf(told).join("\n")}\n`,
    mail: {
      security,
      from,
      to,
      subject: titleOf(told),
      messageId: idOf(event),
      inReplyTo: event === "closed" ? idOf("opened") : undefined,
    },
    dress: {
      secret: undefined,
      login: user === undefined || password === undefined ? undefined : { user, password },
    },
  };
}
