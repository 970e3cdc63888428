import { createHmac } from "node:crypto";
import { secretsEqual } from "#base";
import { pushUnsigned } from "./errors.ts";

/** A request as it was sent. */
interface SentPush {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** What the headers of a proven event say. */
export interface PushSender {
  readonly event: string;
  readonly isPush: boolean;
  /** The same delivery again has the same id; undefined where the sender gives none. */
  readonly delivery: string | undefined;
}

/** Headers by which a sender proves that it knows the secret. */
export const PROOFS = ["x-hub-signature-256", "x-gitlab-token", "x-gitea-signature", "x-forgejo-signature"] as const;

/**
 * Who sent an event, by the proof that it carries: GitHub's signature, GitLab's token, or the signature of Gitea and
 * Forgejo. Where there are several, each must fit.
 *
 * @throws DELIVERY_PUSH_UNSIGNED
 */
export function identifySender({ headers, body }: SentPush, secret: string): PushSender {
  const proofs = PROOFS.filter((name) => headers[name] !== undefined);
  if (proofs.length === 0)
    throw pushUnsigned({ reason: "it carries no X-Hub-Signature-256, X-Gitlab-Token or X-Gitea-Signature" });
  for (const name of proofs)
    if (!secretsEqual(headers[name] ?? "", proofOf(name, body, secret)))
      throw pushUnsigned({
        reason: `its ${name === "x-gitlab-token" ? "token" : "signature"} does not fit the secret`,
      });
  if (headers["x-gitlab-token"] !== undefined) {
    const event = headers["x-gitlab-event"] ?? "Push Hook";
    return {
      event,
      isPush: event === "Push Hook" || event === "Tag Push Hook",
      delivery: headers["idempotency-key"] ?? headers["x-gitlab-event-uuid"],
    };
  }
  const event = headers["x-github-event"] ?? headers["x-gitea-event"] ?? headers["x-forgejo-event"] ?? "push";
  return {
    event,
    isPush: event === "push",
    delivery: headers["x-github-delivery"] ?? headers["x-gitea-delivery"] ?? headers["x-forgejo-delivery"],
  };
}

function proofOf(name: (typeof PROOFS)[number], body: Uint8Array, secret: string): string {
  if (name === "x-gitlab-token") return secret;
  const signature = signPush(body, secret);
  return name === "x-hub-signature-256" ? signature : signature.slice("sha256=".length);
}

/** Value of `X-Hub-Signature-256` for a body: HMAC-SHA256 with the shared secret. */
export function signPush(body: Uint8Array | string, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}
