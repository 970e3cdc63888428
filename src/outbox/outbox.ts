import { randomInt } from "node:crypto";
import { type Clock, type Log, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import type { Channel, Dress, Message } from "./ports.ts";
import { type AddressCheck, createAddressCheck } from "./public-address.ts";
import { assertTarget, send, type WebhookAnswer } from "./send.ts";
import { sendMail } from "./send-mail.ts";

const AT_ONCE = 10;
const CLAIM_MS = 90_000;
const LONGEST_PAUSE_MS = 60_000;
const JITTER_MS = 1000;
const RETRIED_STATUSES = [429, 500, 502, 503, 504];
/** Changes of other processes, and of steps that publish models, are noticed within this time. */
const IDLE_POLL_MS = 5000;

export interface OutboxOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Networks that are not of the public internet and may be sent to all the same, as `10.1.0.0/16`; default none: an
   * address book of the inside is what an attacker wants.
   */
  readonly privateNetworks?: readonly string[];
  /** Another process sends what waits; default false. */
  readonly isQuiet?: boolean;
}

/**
 * Sends everything that leaves the platform by itself: what the channels have waiting.
 *
 * A message is claimed, sent, and its outcome written; a process that dies in between leaves a claim that ends by
 * itself after 90 s, so that another one sends it again: receivers see each message id at least once.
 */
export interface Outbox {
  /** From now on sends what this channel has. */
  add<Sent extends Message>(channel: Channel<Sent>): void;
  /** Tells that messages may wait. Returns at once. */
  wake(): void;
  /** Sends what is due now, and resolves when that is done. */
  flush(): Promise<void>;
  /** Sends one message that is not kept. @throws MODELS_WEBHOOK_TARGET_REFUSED, and what the network says */
  send(message: Pick<Message, "id" | "url" | "body" | "mail">, dress: Dress): Promise<WebhookAnswer>;
  /**
   * @throws MODELS_WEBHOOK_TARGET_REFUSED for an address that is not, or does not resolve to, an allowed one. A host
   *   that does not resolve now is looked at again when something is sent.
   */
  assertTarget(url: string): Promise<void>;
  /** Stops; what is on its way is finished first. */
  close(): Promise<void>;
}

/** What the loop needs of a channel, whatever its messages are. */
interface Sending {
  readonly nextDueMs: Channel["nextDueMs"];
  readonly sendDue: () => Promise<number>;
}

/** @throws OUTBOX_NETWORK_INVALID */
export function createOutbox(options: OutboxOptions): Outbox {
  const { store, clock, log } = options;
  const { isQuiet = false } = options;
  const isAllowed = createAddressCheck(options.privateNetworks ?? []);
  const channels: Sending[] = [];
  let closed = false;
  let running: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  async function drain(): Promise<void> {
    do {
      again = false;
      const sent = await Promise.all(channels.map((channel) => channel.sendDue()));
      if (sent.some((count) => count > 0)) again = true;
    } while (again && !closed);
    const next = await nextDueMs(store, channels);
    watch(next === undefined ? IDLE_POLL_MS : Math.min(IDLE_POLL_MS, Math.max(0, next - clock.now())));
  }

  function watch(afterMs: number): void {
    clearTimeout(timer);
    if (closed || isQuiet) return;
    timer = setTimeout(wake, afterMs);
    timer.unref();
  }

  function wake(): void {
    again = true;
    if (closed || isQuiet || running !== undefined) return;
    running = drain()
      .catch((error: unknown) => {
        log.error("what waits could not be sent", { error: messageOf(error) });
        watch(IDLE_POLL_MS);
      })
      .finally(() => {
        running = undefined;
        if (again) wake();
      });
  }

  watch(IDLE_POLL_MS);

  return {
    add(channel) {
      channels.push({
        nextDueMs: channel.nextDueMs,
        sendDue: () => sendDue(channel, options, isAllowed),
      });
    },
    wake,
    async flush() {
      wake();
      while (running !== undefined) await running;
    },
    send: (message, dress) => sendAny(message, dress, { atMs: clock.now(), isAllowed }),
    assertTarget: (url) => assertTarget(url, isAllowed),
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}

async function nextDueMs(store: MetadataStore, channels: readonly Sending[]): Promise<number | undefined> {
  const times = await store.read((transaction) =>
    Promise.all(channels.map((channel) => channel.nextDueMs(transaction))),
  );
  const due = times.filter((time) => time !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}

/** Claims and sends what is due in one channel; how many that were. */
async function sendDue<Sent extends Message>(
  channel: Channel<Sent>,
  { store, clock, log }: OutboxOptions,
  isAllowed: AddressCheck,
): Promise<number> {
  const nowMs = clock.now();
  // Looks before it writes: most of the time nothing waits.
  const next = await store.read(channel.nextDueMs);
  if (next === undefined || next > nowMs) return 0;
  const claimed = await store.write((transaction) =>
    channel.claim(transaction, { nowMs, claimUntilMs: nowMs + CLAIM_MS, limit: AT_ONCE }),
  );
  await Promise.all(
    claimed.map(async (message) => {
      const tried = await trySend(channel, message, { atMs: clock.now(), isAllowed });
      const attempts = message.attempts + 1;
      const state =
        tried.error === undefined
          ? "delivered"
          : tried.isWorthAnother && attempts < channel.mostAttempts
            ? "pending"
            : "failed";
      if (tried.error !== undefined)
        log.warn("a message could not be delivered", {
          channel: channel.name,
          message: message.id,
          target: hostToName(message.url),
          attempts,
          isLast: state === "failed",
          error: tried.error,
        });
      const endedAtMs = clock.now();
      await store.write((transaction) =>
        channel.record(transaction, message, {
          state,
          attempts,
          dueAtMs: state === "pending" ? endedAtMs + (channel.pauseMs ?? pauseMs)(attempts) : endedAtMs,
          responseStatus: tried.responseStatus,
          error: tried.error,
        }),
      );
    }),
  );
  return claimed.length;
}

function sendAny(
  { mail, ...message }: Pick<Message, "id" | "url" | "body" | "mail">,
  dress: Dress,
  facts: { readonly atMs: number; readonly isAllowed: AddressCheck },
): Promise<WebhookAnswer> {
  return mail === undefined ? send(message, dress, facts) : sendMail({ ...message, mail }, dress, facts.isAllowed);
}

interface Tried {
  readonly responseStatus: number | undefined;
  /** Undefined when the receiver took it. */
  readonly error: string | undefined;
  readonly isWorthAnother: boolean;
}

async function trySend<Sent extends Message>(
  channel: Channel<Sent>,
  message: Sent,
  facts: { readonly atMs: number; readonly isAllowed: AddressCheck },
): Promise<Tried> {
  try {
    const dress = await channel.dress(message);
    if ("refused" in dress) return { responseStatus: undefined, error: dress.refused, isWorthAnother: true };
    const { status } = await sendAny(message, dress, facts);
    const isTaken = status >= 200 && status < 300;
    return {
      responseStatus: status,
      error: isTaken ? undefined : `the target answered ${status}`,
      isWorthAnother: channel.isWorthAnother?.(status) ?? RETRIED_STATUSES.includes(status),
    };
  } catch (error) {
    return { responseStatus: undefined, error: messageOf(error), isWorthAnother: true };
  }
}

/** 1 s, 2 s, 4 s, … up to a minute, and up to a second more so that many do not come back at once. */
function pauseMs(attempts: number): number {
  return Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** (attempts - 1)) + randomInt(JITTER_MS);
}

/** The host alone: addresses of webhooks hold secrets. */
function hostToName(url: string): string {
  return URL.parse(url)?.host ?? "";
}
