import { randomUUID } from "node:crypto";
import { type Clock, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  claimWebhookDeliveries,
  deleteEndedDeliveries,
  getWebhook,
  getWebhookSecret,
  nextWebhookDeliveryMs,
  recordWebhookDelivery,
  webhookBody,
  type WebhookDelivery,
  type WebhookEvent,
} from "#metadata-store/registry";
import type { Channel, Dress, Outbox, SecretBox, WebhookAnswer } from "#outbox";
import { examplePayload } from "./webhook-example.ts";

const MOST_ATTEMPTS = 4;
const KEPT_MS = 7 * 24 * 3600 * 1000;

export interface WebhookSenderOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly outbox: Outbox;
  /** Opens what the deliveries are signed with. */
  readonly secrets: SecretBox;
  /** Default `https` only. */
  readonly schemes?: readonly string[];
}

/** What the registry asks of the outbox for its webhooks. */
export interface WebhookSender {
  /** Tells that deliveries may wait. Returns at once. */
  wake(): void;
  /** Sends an example to a webhook, whatever its status. @throws METADATA_STORE_WEBHOOK_MISSING */
  test(
    webhookId: string,
    event?: WebhookEvent,
  ): Promise<{ readonly answer: WebhookAnswer } | { readonly error: string }>;
  /** @throws MODELS_WEBHOOK_TARGET_REFUSED */
  assertTarget(url: string): Promise<void>;
  /** A secret as it is to be kept. @throws OUTBOX_SECRET_KEY_MISSING, OUTBOX_SECRET_KEY_INVALID */
  seal(secret: string): Promise<string>;
  /** Allowed schemes, for messages. */
  readonly schemes: readonly string[];
}

/** Gives the outbox the webhooks of the registry, signed as MLflow signs them. */
export function createWebhookSender({
  store,
  clock,
  outbox,
  secrets,
  schemes = ["https"],
}: WebhookSenderOptions): WebhookSender {
  outbox.add(webhookChannel(secrets));
  return {
    schemes,
    wake: () => outbox.wake(),
    seal: (secret) => secrets.seal(secret),
    assertTarget: (url) => outbox.assertTarget(url),
    async test(webhookId, event) {
      const { url, events, secret } = await store.read(async (transaction) => ({
        ...(await getWebhook(transaction, webhookId)),
        secret: await getWebhookSecret(transaction, webhookId),
      }));
      const tested = event ?? events[0] ?? { entity: "MODEL_VERSION", action: "CREATED" };
      const body = webhookBody(tested, examplePayload(tested), clock.now());
      try {
        return { answer: await outbox.send({ id: randomUUID(), url, body }, await dressOf(secret, secrets)) };
      } catch (error) {
        return { error: `Failed to test webhook: ${messageOf(error)}` };
      }
    },
  };
}

/** Source: MLflow's webhook documentation. */
async function dressOf(secret: string | undefined, secrets: SecretBox): Promise<Dress> {
  return {
    secret: secret === undefined ? undefined : await secrets.open(secret),
    signatureForm: "v1",
    headers: { id: "x-mlflow-delivery-id", timestamp: "x-mlflow-timestamp", signature: "x-mlflow-signature" },
  };
}

const webhookChannel = (secrets: SecretBox): Channel<WebhookDelivery> => ({
  name: "webhook",
  mostAttempts: MOST_ATTEMPTS,
  nextDueMs: nextWebhookDeliveryMs,
  claim: claimWebhookDeliveries,
  dress: ({ secret }) => dressOf(secret, secrets),
  async record(transaction, { id }, outcome) {
    await recordWebhookDelivery(transaction, { id, ...outcome });
    await deleteEndedDeliveries(transaction, outcome.dueAtMs - KEPT_MS);
  },
});
