import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { WebhookDeliveryState } from "./tables.ts";

/** One body on its way to one webhook. */
export interface WebhookDelivery {
  /** UUID; the same for every try. */
  readonly id: string;
  readonly webhookId: string;
  readonly url: string;
  readonly secret: string | undefined;
  readonly body: string;
  /** Tries before this one. */
  readonly attempts: number;
}

/**
 * Takes deliveries that are due, oldest first, and keeps other processes from them until `claimUntilMs`: when this
 * process dies, they come due again.
 */
export async function claimWebhookDeliveries(
  transaction: WriteTransaction,
  claim: { readonly nowMs: number; readonly claimUntilMs: number; readonly limit: number },
): Promise<readonly WebhookDelivery[]> {
  const due = await transaction
    .selectFrom("webhook_delivery")
    .select("id")
    .where("state", "=", "pending")
    .where("due_at_ms", "<=", claim.nowMs)
    .orderBy("due_at_ms")
    .orderBy("id")
    .limit(Math.min(claim.limit, 100))
    .execute();
  if (due.length === 0) return [];
  const claimed = await transaction
    .updateTable("webhook_delivery")
    .set({ due_at_ms: claim.claimUntilMs })
    .where(
      "id",
      "in",
      due.map(({ id }) => id),
    )
    // Another process may have been faster: PostgreSQL reads the row again after waiting for it.
    .where("state", "=", "pending")
    .where("due_at_ms", "<=", claim.nowMs)
    .returning("id")
    .execute();
  if (claimed.length === 0) return [];
  const rows = await transaction
    .selectFrom("webhook_delivery")
    .innerJoin("webhook", "webhook.id", "webhook_delivery.webhook_id")
    .select(["webhook_delivery.id", "webhook_id as webhookId", "url", "secret", "body", "attempts"])
    .where(
      "webhook_delivery.id",
      "in",
      claimed.map(({ id }) => id),
    )
    .orderBy("webhook_delivery.created_at_ms")
    .execute();
  return rows.map((row) => ({ ...row, secret: row.secret ?? undefined }));
}

/** Writes down how a try ended: `pending` with the time of the next one, or an end. */
export async function recordWebhookDelivery(
  transaction: WriteTransaction,
  outcome: {
    readonly id: string;
    readonly state: WebhookDeliveryState;
    readonly attempts: number;
    readonly dueAtMs: number;
    readonly responseStatus?: number | undefined;
    readonly error?: string | undefined;
  },
): Promise<void> {
  await transaction
    .updateTable("webhook_delivery")
    .set({
      state: outcome.state,
      attempts: outcome.attempts,
      due_at_ms: outcome.dueAtMs,
      response_status: outcome.responseStatus ?? null,
      error: outcome.error ?? null,
    })
    .where("id", "=", outcome.id)
    .execute();
}

/** When the next delivery comes due, or undefined when none is pending. */
export async function nextWebhookDeliveryMs(transaction: ReadTransaction): Promise<number | undefined> {
  const row = await transaction
    .selectFrom("webhook_delivery")
    .select("due_at_ms")
    .where("state", "=", "pending")
    .orderBy("due_at_ms")
    .limit(1)
    .executeTakeFirst();
  return row?.due_at_ms;
}

/** Forgets deliveries that ended before a time. */
export async function deleteEndedDeliveries(transaction: WriteTransaction, beforeMs: number): Promise<void> {
  await transaction
    .deleteFrom("webhook_delivery")
    .where("state", "!=", "pending")
    .where("due_at_ms", "<", beforeMs)
    .execute();
}
