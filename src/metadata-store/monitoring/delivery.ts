import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { type Alert, type DeliveryState, toAlert } from "./alert.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** One alert to be told to one target. */
export interface AlertDelivery {
  readonly alert: Alert;
  readonly target: string;
  readonly attempts: number;
}

/** Deliveries that are due, oldest first, at most `limit` (100). */
export async function listDueDeliveries(
  transaction: ReadTransaction,
  query: { readonly atMs: number; readonly limit?: number },
): Promise<readonly AlertDelivery[]> {
  const rows = await transaction
    .selectFrom("alert_delivery")
    .innerJoin("alert", "alert.id", "alert_delivery.alert_id")
    .selectAll("alert")
    .select(["alert_delivery.target", "alert_delivery.attempts"])
    .where("alert_delivery.state", "=", "pending")
    .where("alert_delivery.next_at_ms", "<=", query.atMs)
    .orderBy("alert_delivery.next_at_ms")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(({ target, attempts, ...row }) => ({ alert: toAlert(row), target, attempts }));
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
