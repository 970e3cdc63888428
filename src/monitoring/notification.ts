import { type Clock, type Log, messageOf, signMessage } from "#base";
import type { MetadataStore } from "#metadata-store";
import { type AlertDelivery, listDueDeliveries, listMonitors, saveDelivery } from "#metadata-store/monitoring";
import type { Monitor } from "./monitor-set.ts";

export interface NotificationOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Value of a secret by name; undefined when it is not set. */
  readonly secret: (name: string) => string | undefined;
}

const MOST_ATTEMPTS = 8;
const FIRST_DELAY_MS = 5000;
const TIMEOUT_MS = 10_000;

/**
 * Sends the alerts that are due to their webhooks: at least once, the alert's id is stable; a failure is tried again
 * after 5 s, 10 s, 20 s, …, eight times in all, and stays visible. Signed where `notify` names a secret:
 * `x-esteira-signature` over alert id, timestamp and body (`signMessage`).
 *
 * @returns how many were delivered
 */
export async function deliverNotifications(options: NotificationOptions): Promise<number> {
  const due = await options.store.read((transaction) => listDueDeliveries(transaction, { atMs: options.clock.now() }));
  let delivered = 0;
  for (const delivery of due) {
    const error = await trySend(delivery, options);
    const attempts = delivery.attempts + 1;
    const nowMs = options.clock.now();
    if (error === undefined) delivered++;
    else
      options.log.warn("an alert could not be delivered", {
        alert: delivery.alert.id,
        target: new URL(delivery.target).host,
        attempts,
        error,
      });
    await options.store.write((transaction) =>
      saveDelivery(transaction, {
        alertId: delivery.alert.id,
        target: delivery.target,
        attempts,
        state: error === undefined ? "delivered" : attempts >= MOST_ATTEMPTS ? "failed" : "pending",
        nextAtMs: nowMs + FIRST_DELAY_MS * 2 ** (attempts - 1),
        lastError: error,
        deliveredAtMs: error === undefined ? nowMs : undefined,
      }),
    );
  }
  return delivered;
}

/**
 * @returns undefined when the target took it, else why not. What was to be signed is never sent without a signature.
 */
async function trySend(delivery: AlertDelivery, options: NotificationOptions): Promise<string | undefined> {
  const { alert, target } = delivery;
  const monitors = await options.store.read((transaction) =>
    listMonitors(transaction, { project: alert.project, environment: alert.environment, endpoint: alert.endpoint }),
  );
  const monitor = monitors.find(({ name }) => name === alert.monitor)?.declaration as Monitor | undefined;
  const entry = monitor?.notify.find(({ webhook }) => webhook === target);
  if (entry === undefined) return `the monitor ${alert.monitor} no longer names this address`;
  if (entry.secret === undefined) return send(delivery, { secret: undefined, clock: options.clock });
  const secret = options.secret(entry.secret);
  if (secret === undefined || secret === "")
    return `the secret "${entry.secret}" that signs it is not set: ESTEIRA_SECRET_${entry.secret.toUpperCase().replaceAll("-", "_")}`;
  return send(delivery, { secret, clock: options.clock });
}

async function send(
  { alert, target }: AlertDelivery,
  { secret, clock }: { readonly secret: string | undefined; readonly clock: Clock },
): Promise<string | undefined> {
  const body = JSON.stringify({ type: "alert.opened", alert });
  const timestamp = String(Math.floor(clock.now() / 1000));
  const signature =
    secret === undefined ? {} : { "x-esteira-signature": signMessage({ id: alert.id, timestamp, body }, secret) };
  try {
    const response = await fetch(target, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-esteira-alert": alert.id,
        "x-esteira-timestamp": timestamp,
        ...signature,
      },
      body,
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `HTTP status ${response.status}`;
  } catch (error) {
    return messageOf(error);
  }
}
