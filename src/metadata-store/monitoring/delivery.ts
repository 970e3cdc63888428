import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { type Alert, type DeliveryState, toAlert } from "./alert.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** One alert to be told to one target. */
export interface AlertDelivery {
  readonly alert: Alert;
  readonly target: string;
  readonly attempts: number;
}

/** When the next delivery comes due, or undefined when none is pending. */
export async function nextAlertDeliveryMs(transaction: ReadTransaction): Promise<number | undefined> {
  const row = await transaction
    .selectFrom("alert_delivery")
    .select("next_at_ms")
    .where("state", "=", "pending")
    .orderBy("next_at_ms")
    .limit(1)
    .executeTakeFirst();
  return row?.next_at_ms;
}

/**
 * Takes deliveries that are due, oldest first, and keeps other processes from them until `claimUntilMs`: when this
 * process dies, they come due again.
 */
export async function claimAlertDeliveries(
  transaction: WriteTransaction,
  claim: { readonly nowMs: number; readonly claimUntilMs: number; readonly limit: number },
): Promise<readonly AlertDelivery[]> {
  const due = await transaction
    .selectFrom("alert_delivery")
    .innerJoin("alert", "alert.id", "alert_delivery.alert_id")
    .selectAll("alert")
    .select(["alert_delivery.target", "alert_delivery.attempts"])
    .where("alert_delivery.state", "=", "pending")
    .where("alert_delivery.next_at_ms", "<=", claim.nowMs)
    .orderBy("alert_delivery.next_at_ms")
    .limit(Math.min(claim.limit, LARGEST_PAGE))
    .execute();
  const claimed: AlertDelivery[] = [];
  for (const { target, attempts, ...row } of due) {
    const taken = await transaction
      .updateTable("alert_delivery")
      .set({ next_at_ms: claim.claimUntilMs })
      .where("alert_id", "=", row.id)
      .where("target", "=", target)
      // Another process may have been faster: PostgreSQL reads the row again after waiting for it.
      .where("state", "=", "pending")
      .where("next_at_ms", "<=", claim.nowMs)
      .returning("alert_id")
      .execute();
    if (taken.length > 0) claimed.push({ alert: toAlert(row), target, attempts });
  }
  return claimed;
}

/** Notes how a delivery went. */
export async function saveDelivery(
  transaction: WriteTransaction,
  delivery: {
    readonly alertId: string;
    readonly target: string;
    readonly state: DeliveryState;
    readonly attempts: number;
    readonly nextAtMs: number;
    readonly lastError?: string | undefined;
    readonly deliveredAtMs?: number | undefined;
  },
): Promise<void> {
  await transaction
    .updateTable("alert_delivery")
    .set({
      state: delivery.state,
      attempts: delivery.attempts,
      next_at_ms: delivery.nextAtMs,
      last_error: delivery.lastError ?? null,
      delivered_at_ms: delivery.deliveredAtMs ?? null,
    })
    .where("alert_id", "=", delivery.alertId)
    .where("target", "=", delivery.target)
    .execute();
}

/** How the deliveries of one alert went. */
export async function listDeliveries(
  transaction: ReadTransaction,
  alertId: string,
): Promise<
  readonly {
    readonly target: string;
    readonly state: DeliveryState;
    readonly attempts: number;
    readonly lastError: string | undefined;
  }[]
> {
  const rows = await transaction
    .selectFrom("alert_delivery")
    .selectAll()
    .where("alert_id", "=", alertId)
    .orderBy("target")
    .limit(1000)
    .execute();
  return rows.map((row) => ({
    target: row.target,
    state: row.state,
    attempts: row.attempts,
    lastError: row.last_error ?? undefined,
  }));
}
