import { createHmac, randomInt, randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import type { IncomingMessage, RequestOptions } from "node:http";
import { isIP } from "node:net";
import { type Clock, type Log, messageOf } from "#base";
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
import { webhookTargetRefused } from "./errors.ts";
import { isPublicAddress } from "./public-address.ts";
import { examplePayload } from "./webhook-example.ts";

const WORKERS = 10;
const TIME_LIMIT_MS = 30_000;
const CLAIM_MS = 90_000;
const MOST_RETRIES = 3;
const LONGEST_BACKOFF_MS = 60_000;
const JITTER_MS = 1000;
const RETRIED_STATUSES = [429, 500, 502, 503, 504];
const KEPT_MS = 7 * 24 * 3600 * 1000;
const LONGEST_ANSWER = 10_000;
/** Changes of other processes, and of steps that publish models, are noticed within this time. */
const IDLE_POLL_MS = 5000;

/** What a target answered. */
export interface WebhookAnswer {
  readonly status: number;
  readonly body: string;
}

export interface WebhookSenderOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Deliver to addresses of the local network too; default false: an address book of the inside is what an attacker
   * wants.
   */
  readonly allowPrivateAddresses?: boolean;
  /** Default `https` only. */
  readonly schemes?: readonly string[];
}

/**
 * Sends what waits in the outbox, signed as MLflow signs it.
 *
 * A delivery is claimed, sent, and its outcome written; a process that dies in between leaves a claim that ends by
 * itself after 90 s, so that another one sends it again: targets see each delivery id at least once.
 */
export interface WebhookSender {
  /** Tells that deliveries may wait. Returns at once. */
  wake(): void;
  /** Sends an example to a webhook, whatever its status. @throws METADATA_STORE_WEBHOOK_MISSING */
  test(
    webhookId: string,
    event?: WebhookEvent,
  ): Promise<{ readonly answer: WebhookAnswer } | { readonly error: string }>;
  /**
   * @throws MODELS_WEBHOOK_TARGET_REFUSED for an address that is not, or does not resolve to, a public one. A host that
   * does not resolve now is looked at again at delivery.
   */
  assertTarget(url: string): Promise<void>;
  /** Allowed schemes, for messages. */
  readonly schemes: readonly string[];
  /** Stops; what is on its way is finished first. */
  close(): Promise<void>;
}

export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { store, clock, log } = options;
  let closed = false;
  let running: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  async function drain(): Promise<void> {
    do {
      again = false;
      const due = await claimDue(options);
      await Promise.all(due.map((delivery) => deliver(options, delivery)));
      if (due.length > 0) again = true;
    } while (again && !closed);
    await schedule();
  }

  async function schedule(): Promise<void> {
    const next = await store.read(nextWebhookDeliveryMs);
    watch(next === undefined ? IDLE_POLL_MS : Math.min(IDLE_POLL_MS, Math.max(0, next - clock.now())));
  }

  function watch(afterMs: number): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(wake, afterMs);
    timer.unref();
  }

  function wake(): void {
    again = true;
    if (closed || running !== undefined) return;
    running = drain()
      .catch((error: unknown) => {
        log.error("webhooks could not be delivered", { error: messageOf(error) });
        watch(IDLE_POLL_MS);
      })
      .finally(() => {
        running = undefined;
        if (again) wake();
      });
  }

  void schedule().catch((error: unknown) => log.error("webhooks are not watched", { error: messageOf(error) }));

  return {
    schemes: options.schemes ?? ["https"],
    wake,
    async test(webhookId, event) {
      const { url, events, secret } = await store.read(async (transaction) => ({
        ...(await getWebhook(transaction, webhookId)),
        secret: await getWebhookSecret(transaction, webhookId),
      }));
      const tested = event ?? events[0] ?? { entity: "MODEL_VERSION", action: "CREATED" };
      try {
        return {
          answer: await post(
            options,
            { url, secret, body: webhookBody(tested, examplePayload(tested), clock.now()) },
            randomUUID(),
          ),
        };
      } catch (error) {
        return { error: `Failed to test webhook: ${messageOf(error)}` };
      }
    },
    async assertTarget(url) {
      if (options.allowPrivateAddresses === true) return;
      const host = hostOf(url);
      const addresses = isIP(host) === 0 ? await resolveHost(host) : [host];
      const refused = addresses.find((address) => !isPublicAddress(address));
      if (refused !== undefined)
        throw webhookTargetRefused({
          url,
          reason: `${host} is ${refused === host ? "" : `${refused}, `}not a public address.`,
        });
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Looks before it writes: most of the time nothing waits. */
async function claimDue({ store, clock }: WebhookSenderOptions): Promise<readonly WebhookDelivery[]> {
  const nowMs = clock.now();
  const next = await store.read(nextWebhookDeliveryMs);
  if (next === undefined || next > nowMs) return [];
  return store.write((transaction) =>
    claimWebhookDeliveries(transaction, { nowMs, claimUntilMs: nowMs + CLAIM_MS, limit: WORKERS }),
  );
}

async function deliver(options: WebhookSenderOptions, delivery: WebhookDelivery): Promise<void> {
  const { store, clock, log } = options;
  const attempts = delivery.attempts + 1;
  let outcome: { responseStatus?: number; error?: string };
  try {
    const { status } = await post(options, delivery, delivery.id);
    outcome = { responseStatus: status, ...(status < 400 ? {} : { error: `the target answered ${status}` }) };
  } catch (error) {
    outcome = { error: messageOf(error) };
  }
  const nowMs = clock.now();
  const retried = outcome.responseStatus === undefined || RETRIED_STATUSES.includes(outcome.responseStatus);
  const state = outcome.error === undefined ? "delivered" : retried && attempts <= MOST_RETRIES ? "pending" : "failed";
  if (state === "failed")
    log.warn("a webhook delivery failed", { webhook: delivery.webhookId, delivery: delivery.id, error: outcome.error });
  const dueAtMs = state === "pending" ? nowMs + backoffMs(attempts) : nowMs;
  await store.write(async (transaction) => {
    await recordWebhookDelivery(transaction, { id: delivery.id, state, attempts, dueAtMs, ...outcome });
    await deleteEndedDeliveries(transaction, nowMs - KEPT_MS);
  });
}

/** 1 s, 2 s, 4 s, … up to a minute, and up to a second more so that many do not come back at once. */
function backoffMs(attempts: number): number {
  return Math.min(LONGEST_BACKOFF_MS, 1000 * 2 ** (attempts - 1)) + randomInt(JITTER_MS);
}

/** `v1,<base64 of HMAC-SHA256(secret, "<delivery id>.<timestamp>.<body>")>`. Source: MLflow's webhook documentation. */
export function signWebhook(secret: string, deliveryId: string, timestamp: string, body: string): string {
  return `v1,${createHmac("sha256", secret).update(`${deliveryId}.${timestamp}.${body}`).digest("base64")}`;
}

async function post(
  options: WebhookSenderOptions,
  target: { readonly url: string; readonly secret: string | undefined; readonly body: string },
  deliveryId: string,
): Promise<WebhookAnswer> {
  const url = new URL(target.url);
  const timestamp = String(Math.floor(options.clock.now() / 1000));
  const checked = options.allowPrivateAddresses !== true;
  const host = hostOf(target.url);
  if (checked && isIP(host) !== 0 && !isPublicAddress(host))
    throw webhookTargetRefused({ url: target.url, reason: `${host} is not a public address.` });
  // Most commands load this module and send nothing; the module of HTTP is half of what they would wait for.
  const { request: send } = await import(url.protocol === "https:" ? "node:https" : "node:http");
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(target.body),
          "user-agent": "esteira-webhook",
          "x-mlflow-delivery-id": deliveryId,
          "x-mlflow-timestamp": timestamp,
          ...(target.secret === undefined
            ? {}
            : { "x-mlflow-signature": signWebhook(target.secret, deliveryId, timestamp, target.body) }),
        },
        signal: AbortSignal.timeout(TIME_LIMIT_MS),
        // The address that was checked is the one that is connected to: a name cannot change in between.
        ...(checked ? { lookup: publicLookup(target.url) } : {}),
      },
      (response: IncomingMessage) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          if (body.length < LONGEST_ANSWER) body += piece;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: body.slice(0, LONGEST_ANSWER) }));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(target.body);
  });
}

type Lookup = NonNullable<RequestOptions["lookup"]>;

function publicLookup(url: string): Lookup {
  return (hostname, lookupOptions, done) => {
    lookup(hostname, { all: true }).then(
      (addresses) => {
        const refused = addresses.find(({ address }) => !isPublicAddress(address));
        const [first] = addresses;
        if (refused !== undefined || first === undefined) {
          done(
            webhookTargetRefused({
              url,
              reason: `${hostname} is ${refused?.address ?? "unknown"}, not a public address.`,
            }),
            "",
            0,
          );
        } else if (lookupOptions.all === true) done(null, addresses);
        else done(null, first.address, first.family);
      },
      (error: unknown) => done(error as Error, "", 0),
    );
  };
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

async function resolveHost(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    // No name service now, or no such name yet: the check at delivery decides.
    return [];
  }
}
