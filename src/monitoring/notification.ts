import { createHmac } from "node:crypto";
import { type Clock, type Log, messageOf } from "#base";
import { type AlertDelivery, listDueDeliveries, type MetadataStore, saveDelivery } from "#metadata-store";

export interface NotificationOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Signs each body: header `x-esteira-signature: sha256=<hex>`. */
  readonly webhookSecret?: string | undefined;
}

const MOST_ATTEMPTS = 8;
const FIRST_DELAY_MS = 5000;
const TIMEOUT_MS = 10_000;

/**
 * Sends the alerts that are due to their webhooks: at least once, the alert's id is stable; a failure is tried again after 5 s, 10 s, 20 s, …,
 * eight times in all, and stays visible.
 *
 * @returns how many were delivered
 */
export async function deliverNotifications(options: NotificationOptions): Promise<number> {
  const due = await options.store.read((transaction) => listDueDeliveries(transaction, { atMs: options.clock.now() }));
  let delivered = 0;
  for (const delivery of due) {
    const error = await send(delivery, options.webhookSecret);
    const attempts = delivery.attempts + 1;
    const nowMs = options.clock.now();
    if (error === undefined) delivered++;
    else options.log.warn("an alert could not be delivered", { alert: delivery.alert.id, target: new URL(delivery.target).host, attempts, error });
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

/** @returns undefined when the target took it, else why not */
async function send({ alert, target }: AlertDelivery, secret: string | undefined): Promise<string | undefined> {
  const body = JSON.stringify({ type: "alert.opened", alert });
  const signature = secret === undefined ? {} : { "x-esteira-signature": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}` };
  try {
    const response = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json", "x-esteira-alert": alert.id, ...signature },
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
