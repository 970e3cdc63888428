import type { MetadataStore } from "#metadata-store";
import {
  type AlertNotice,
  claimAlertNotices,
  listMonitors,
  nextAlertNoticeMs,
  saveNotice,
} from "#metadata-store/monitoring";
import type { Channel, Message } from "#outbox";
import { readExplanation } from "./explanation.ts";
import type { Monitor } from "./monitor-set.ts";

const MOST_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 5000;

interface AlertMessage extends Message {
  readonly notice: AlertNotice;
}

/**
 * What waits to be told of alerts, that they opened and that they closed: the alert's id is stable; a failure is tried
 * again after 5 s, 10 s, 20 s, …, eight times in all, and stays visible. Signed where `notify` names a secret:
 * `x-esteira-signature`.
 */
export function createAlertChannel(options: {
  readonly store: MetadataStore;
  /** Value of a secret by name; undefined when it is not set. */
  readonly secret: (name: string) => string | undefined;
}): Channel<AlertMessage> {
  return {
    name: "alert",
    mostAttempts: MOST_ATTEMPTS,
    isWorthAnother: () => true,
    pauseMs: (attempts) => FIRST_PAUSE_MS * 2 ** (attempts - 1),
    nextDueMs: nextAlertNoticeMs,
    claim: async (transaction, claim) => (await claimAlertNotices(transaction, claim)).map(toMessage),
    async dress({ notice: { alert, target } }) {
      const monitors = await options.store.read((transaction) =>
        listMonitors(transaction, { project: alert.project, environment: alert.environment, endpoint: alert.endpoint }),
      );
      const monitor = monitors.find(({ name }) => name === alert.monitor)?.declaration as Monitor | undefined;
      const entry = monitor?.notify.find(({ webhook }) => webhook === target);
      if (entry === undefined) return { refused: `the monitor ${alert.monitor} no longer names this address` };
      const secret = entry.secret === undefined ? undefined : options.secret(entry.secret);
      if (entry.secret !== undefined && (secret === undefined || secret === ""))
        return {
          refused: `the secret "${entry.secret}" that signs it is not set: ESTEIRA_SECRET_${entry.secret.toUpperCase().replaceAll("-", "_")}`,
        };
      return {
        secret,
        signatureForm: "sha256",
        headers: { id: "x-esteira-alert", timestamp: "x-esteira-timestamp", signature: "x-esteira-signature" },
      };
    },
    record: (transaction, { notice: { alert, event, target } }, { state, attempts, dueAtMs, error }) =>
      saveNotice(transaction, {
        alertId: alert.id,
        event,
        target,
        attempts,
        state,
        nextAtMs: dueAtMs,
        lastError: error,
        deliveredAtMs: state === "delivered" ? dueAtMs : undefined,
      }),
  };
}

function toMessage(notice: AlertNotice): AlertMessage {
  const { alert, event, target, attempts } = notice;
  const body = { type: `alert.${event}`, alert: { ...alert, explanation: readExplanation(alert.explanation) } };
  return { id: alert.id, url: target, body: JSON.stringify(body), attempts, notice };
}
