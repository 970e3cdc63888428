import { assertJsonDepth, type Clock, isSignatureOf } from "#base";
import { appendEvent, type MetadataStore, type WriteTransaction } from "#metadata-store";
import { getPushDelivery, insertPushDelivery } from "#metadata-store/delivery";
import { fireTrigger } from "#engine";
import { webhookClosed, webhookInvalid, webhookUnsigned, webhookUnused } from "./errors.ts";
import type { PushRequest } from "./push.ts";

/** Largest body of a call, in bytes: it is kept with every pipeline run that it starts. */
export const LARGEST_WEBHOOK_BYTES: number = 256 * 1024;
/** How far a sender's clock may be from ours. */
const TOLERANCE_S = 300;
const DELIVERY_ID = /^[\x21-\x7e]{1,200}$/;

export interface WebhookAnswer {
  readonly status: number;
  readonly json: { readonly pipelineRuns?: readonly string[] };
}

export interface WebhookHandlerOptions {
  readonly store: MetadataStore;
  readonly project: string;
  readonly clock: Clock;
  /** Value of a secret by name; undefined when it is not set. */
  readonly secret: (name: string) => string | undefined;
}

/** Name of the secret that the calls of a webhook are signed with. */
export function webhookSecretName(webhook: string): string {
  return `WEBHOOK_${webhook.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * Answers calls of webhooks: queues the pipelines with `on: { webhook: NAME }`, in the transaction that notes the
 * delivery. The call's JSON is
 * `trigger.body` to them. Headers: `x-esteira-delivery`, an id; `x-esteira-timestamp`, seconds; `x-esteira-signature`,
 * see `signMessage`.
 *
 * The same delivery of one webhook twice is one call.
 *
 * @throws DELIVERY_WEBHOOK_CLOSED, DELIVERY_WEBHOOK_UNSIGNED, DELIVERY_WEBHOOK_INVALID, DELIVERY_WEBHOOK_UNUSED
 */
export function createWebhookHandler(
  options: WebhookHandlerOptions,
): (webhook: string, request: PushRequest) => Promise<WebhookAnswer> {
  const { store, project } = options;
  return async (webhook, request) => {
    const delivery = assertSigned(webhook, request, options);
    // Kept beside the pushes, under a name that no push has.
    const call = { id: `webhook:${webhook}:${delivery}`, webhook, delivery, body: parseBody(request.body) };
    const answered = async (): Promise<WebhookAnswer | undefined> => {
      const known = await store.read((transaction) => getPushDelivery(transaction, { project, id: call.id }));
      return known === undefined ? undefined : { status: 200, json: known.answer };
    };
    const known = await answered();
    if (known !== undefined) return known;
    try {
      return await store.write((transaction) => answerCall(transaction, call, options));
    } catch (error) {
      const other = error instanceof AnsweredMeanwhile ? await answered() : undefined;
      if (other === undefined) throw error;
      return other;
    }
  };
}

/** Another request noted the same delivery since we looked: nothing of ours may stay. */
class AnsweredMeanwhile extends Error {}

async function answerCall(
  transaction: WriteTransaction,
  call: { readonly id: string; readonly webhook: string; readonly delivery: string; readonly body: unknown },
  { project, clock }: WebhookHandlerOptions,
): Promise<WebhookAnswer> {
  const { id, webhook, delivery, body } = call;
  const atMs = clock.now();
  const actor = `webhook:${webhook}`;
  const pipelineRuns = await fireTrigger(transaction, {
    project,
    on: "webhook",
    subject: webhook,
    cause: { webhook, delivery, body },
    atMs,
    actor,
  });
  if (pipelineRuns.length === 0) throw webhookUnused({ webhook });
  if (
    !(await insertPushDelivery(transaction, {
      project,
      id,
      branch: webhook,
      commit: "",
      pusher: actor,
      atMs,
      answer: { pipelineRuns },
    }))
  )
    throw new AnsweredMeanwhile();
  await appendEvent(transaction, {
    atMs,
    project,
    type: "webhook.received",
    subjectKind: "webhook",
    subject: webhook,
    actor,
    data: { delivery, pipelineRuns },
  });
  return { status: 202, json: { pipelineRuns } };
}

/** @returns the delivery's id. Without a secret nobody may call. */
function assertSigned(
  webhook: string,
  { headers, body }: PushRequest,
  { secret, clock }: WebhookHandlerOptions,
): string {
  const name = webhookSecretName(webhook);
  const value = /^[A-Za-z][\w-]{0,99}$/.test(webhook) ? secret(name) : undefined;
  if (value === undefined || value === "") throw webhookClosed({ webhook, secret: name });
  const { "x-esteira-delivery": id, "x-esteira-timestamp": timestamp, "x-esteira-signature": signature } = headers;
  if (id === undefined || timestamp === undefined || signature === undefined)
    throw webhookUnsigned({ reason: "it lacks X-Esteira-Delivery, X-Esteira-Timestamp or X-Esteira-Signature" });
  if (!DELIVERY_ID.test(id))
    throw webhookUnsigned({ reason: "X-Esteira-Delivery is no text of 1 to 200 visible characters" });
  if (!isSignatureOf({ id, timestamp, body }, signature, value))
    throw webhookUnsigned({
      reason: "its signature does not fit the secret, the delivery id, the timestamp and the body",
    });
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(clock.now() / 1000 - Number(timestamp)) > TOLERANCE_S)
    throw webhookUnsigned({ reason: `its timestamp is more than ${TOLERANCE_S} s from now` });
  return id;
}

function parseBody(body: Uint8Array): unknown {
  if (body.length > LARGEST_WEBHOOK_BYTES)
    throw webhookInvalid({ problem: `its body has ${body.length} bytes, at most ${LARGEST_WEBHOOK_BYTES} are taken` });
  if (body.length === 0) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    assertJsonDepth(text);
    return JSON.parse(text);
  } catch (error) {
    throw webhookInvalid({ problem: `its body is no JSON (${(error as Error).message})` }, error);
  }
}
