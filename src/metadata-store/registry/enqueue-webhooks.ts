import { randomUUID } from "node:crypto";
import type { WriteTransaction } from "../database.ts";

/** Entities and what can happen to them, as MLflow's webhooks name them. */
export const WEBHOOK_ACTIONS = {
  REGISTERED_MODEL: ["CREATED"],
  MODEL_VERSION: ["CREATED"],
  MODEL_VERSION_TAG: ["SET", "DELETED"],
  MODEL_VERSION_ALIAS: ["CREATED", "DELETED"],
  PROMPT: ["CREATED"],
  PROMPT_VERSION: ["CREATED"],
  PROMPT_TAG: ["SET", "DELETED"],
  PROMPT_VERSION_TAG: ["SET", "DELETED"],
  PROMPT_ALIAS: ["CREATED", "DELETED"],
  BUDGET_POLICY: ["EXCEEDED"],
} as const;
export type WebhookEntity = keyof typeof WEBHOOK_ACTIONS;

export interface WebhookEvent {
  readonly entity: string;
  readonly action: string;
}

/** The body of a delivery. */
export function webhookBody(event: WebhookEvent, data: object, atMs: number): string {
  return JSON.stringify({
    entity: event.entity.toLowerCase(),
    action: event.action.toLowerCase(),
    timestamp: new Date(atMs).toISOString(),
    data,
  });
}

/**
 * Puts one delivery for each active webhook that listens into the outbox, in the transaction of the change: none is
 * lost, none is sent for what was rolled back.
 */
export async function enqueueWebhooks(
  transaction: WriteTransaction,
  event: WebhookEvent,
  data: object,
  atMs: number,
): Promise<void> {
  const webhooks = await transaction
    .selectFrom("webhook")
    .select(["id", "events"])
    .where("status", "=", "ACTIVE")
    .execute();
  const listening = webhooks.filter(({ events }) =>
    (JSON.parse(events) as readonly WebhookEvent[]).some(
      ({ entity, action }) => entity === event.entity && action === event.action,
    ),
  );
  if (listening.length === 0) return;
  const body = webhookBody(event, data, atMs);
  await transaction
    .insertInto("webhook_delivery")
    .values(
      listening.map(({ id }) => ({
        id: randomUUID(),
        webhook_id: id,
        body,
        state: "pending" as const,
        attempts: 0,
        due_at_ms: atMs,
        created_at_ms: atMs,
        response_status: null,
        error: null,
      })),
    )
    .execute();
}
