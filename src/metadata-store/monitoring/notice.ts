import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { type Alert, type AlertEvent, type DeliveryState, toAlert } from "./alert.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** One alert to be told to one target. */
export interface AlertNotice {
  readonly alert: Alert;
  readonly event: AlertEvent;
  readonly target: string;
  readonly attempts: number;
  /** When it was told before; undefined: it was not. */
  readonly deliveredAtMs: number | undefined;
}

/** Has an alert told to some targets. */
export async function queueNotices(
  transaction: WriteTransaction,
  notice: {
    readonly alertId: string;
    readonly event: AlertEvent;
    readonly targets: readonly string[];
    readonly atMs: number;
  },
): Promise<void> {
  const targets = [...new Set(notice.targets)];
  if (targets.length === 0) return;
  await transaction
    .insertInto("alert_notice")
    .values(
      targets.map((target) => ({
        alert_id: notice.alertId,
        event: notice.event,
        target,
        state: "pending" as const,
        attempts: 0,
        next_at_ms: notice.atMs,
        last_error: null,
        delivered_at_ms: null,
      })),
    )
    .execute();
}

/** Who was told, or will be, that an alert opened. */
export async function listTold(transaction: ReadTransaction, alertId: string): Promise<readonly string[]> {
  const rows = await transaction
    .selectFrom("alert_notice")
    .select("target")
    .where("alert_id", "=", alertId)
    .where("event", "=", "opened")
    .orderBy("target")
    .execute();
  return rows.map(({ target }) => target);
}

/** When the next notice comes due, or undefined when none is pending. */
export async function nextAlertNoticeMs(transaction: ReadTransaction): Promise<number | undefined> {
  const row = await transaction
    .selectFrom("alert_notice")
    .select("next_at_ms")
    .where("state", "=", "pending")
    .orderBy("next_at_ms")
    .limit(1)
    .executeTakeFirst();
  return row?.next_at_ms;
}

/**
 * Takes notices that are due, oldest first, and keeps other processes from them until `claimUntilMs`: when this
 * process dies, they come due again.
 * Nobody is told that an alert closed while it waits to be told that it opened.
 */
export async function claimAlertNotices(
  transaction: WriteTransaction,
  claim: { readonly nowMs: number; readonly claimUntilMs: number; readonly limit: number },
): Promise<readonly AlertNotice[]> {
  const due = await transaction
    .selectFrom("alert_notice")
    .innerJoin("alert", "alert.id", "alert_notice.alert_id")
    .selectAll("alert")
    .select(["alert_notice.target", "alert_notice.event", "alert_notice.attempts", "alert_notice.delivered_at_ms"])
    .where("alert_notice.state", "=", "pending")
    .where("alert_notice.next_at_ms", "<=", claim.nowMs)
    .orderBy("alert_notice.next_at_ms")
    .limit(Math.min(claim.limit, LARGEST_PAGE))
    .execute();
  const claimed: AlertNotice[] = [];
  for (const { target, event, attempts, delivered_at_ms: toldAtMs, ...row } of due) {
    if (event === "opened" && toldAtMs !== null && row.state === "closed") {
      await settle(transaction, { alertId: row.id, event, target });
      continue;
    }
    if (event === "closed" && (await isPending(transaction, { alertId: row.id, target }))) {
      await transaction
        .updateTable("alert_notice")
        .set({ next_at_ms: claim.nowMs + LOOK_AGAIN_MS })
        .where("alert_id", "=", row.id)
        .where("event", "=", event)
        .where("target", "=", target)
        .execute();
      continue;
    }
    const taken = await transaction
      .updateTable("alert_notice")
      .set({ next_at_ms: claim.claimUntilMs })
      .where("alert_id", "=", row.id)
      .where("event", "=", event)
      .where("target", "=", target)
      // Another process may have been faster: PostgreSQL reads the row again after waiting for it.
      .where("state", "=", "pending")
      .where("next_at_ms", "<=", claim.nowMs)
      .returning("alert_id")
      .execute();
    if (taken.length > 0)
      claimed.push({ alert: toAlert(row), event, target, attempts, deliveredAtMs: toldAtMs ?? undefined });
  }
  return claimed;
}

/** A notice that waits for another one is looked at again after this time. */
const LOOK_AGAIN_MS = 5000;

async function isPending(
  transaction: ReadTransaction,
  of: { readonly alertId: string; readonly target: string },
): Promise<boolean> {
  const row = await transaction
    .selectFrom("alert_notice")
    .select("alert_id")
    .where("alert_id", "=", of.alertId)
    .where("target", "=", of.target)
    .where("event", "=", "opened")
    .where("state", "=", "pending")
    .where("delivered_at_ms", "is", null)
    .executeTakeFirst();
  return row !== undefined;
}

/** What was told again and again while the alert was open is told no more. */
async function settle(
  transaction: WriteTransaction,
  of: { readonly alertId: string; readonly event: AlertEvent; readonly target: string },
): Promise<void> {
  await transaction
    .updateTable("alert_notice")
    .set({ state: "delivered" })
    .where("alert_id", "=", of.alertId)
    .where("event", "=", of.event)
    .where("target", "=", of.target)
    .execute();
}

/** Notes how a notice went. */
export async function saveNotice(
  transaction: WriteTransaction,
  delivery: {
    readonly alertId: string;
    readonly event: AlertEvent;
    readonly target: string;
    readonly state: DeliveryState;
    readonly attempts: number;
    readonly nextAtMs: number;
    readonly lastError?: string | undefined;
    readonly deliveredAtMs?: number | undefined;
  },
): Promise<void> {
  await transaction
    .updateTable("alert_notice")
    .set({
      state: delivery.state,
      attempts: delivery.attempts,
      next_at_ms: delivery.nextAtMs,
      last_error: delivery.lastError ?? null,
      delivered_at_ms: delivery.deliveredAtMs ?? null,
    })
    .where("alert_id", "=", delivery.alertId)
    .where("event", "=", delivery.event)
    .where("target", "=", delivery.target)
    .execute();
}

/** How the notices of one alert went. */
export async function listNotices(
  transaction: ReadTransaction,
  alertId: string,
): Promise<
  readonly {
    readonly event: AlertEvent;
    readonly target: string;
    readonly state: DeliveryState;
    readonly attempts: number;
    readonly lastError: string | undefined;
    readonly deliveredAtMs: number | undefined;
  }[]
> {
  const rows = await transaction
    .selectFrom("alert_notice")
    .selectAll()
    .where("alert_id", "=", alertId)
    .orderBy("target")
    .orderBy("event", "desc")
    .limit(1000)
    .execute();
  return rows.map((row) => ({
    event: row.event,
    target: row.target,
    state: row.state,
    attempts: row.attempts,
    lastError: row.last_error ?? undefined,
    deliveredAtMs: row.delivered_at_ms ?? undefined,
  }));
}
