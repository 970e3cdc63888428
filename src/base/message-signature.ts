import { createHmac } from "node:crypto";
import { secretsEqual } from "./digest.ts";

/** A message between two that share a secret. */
export interface SignedMessage {
  /** The message's id, the same when it is sent again. */
  readonly id: string;
  /** Whole seconds since 1970, as text. */
  readonly timestamp: string;
  readonly body: Uint8Array | string;
}

/**
 * HMAC-SHA256(secret, `<id>.<timestamp>.<body>`): neither the body nor when it was sent can be changed or used for
 * another message.
 *
 * @param form `sha256`: `sha256=<hex>`; `v1`: `v1,<base64>`, as MLflow writes it
 */
export function signMessage(message: SignedMessage, secret: string, form: "sha256" | "v1" = "sha256"): string {
  const code = createHmac("sha256", secret).update(`${message.id}.${message.timestamp}.`).update(message.body);
  return form === "v1" ? `v1,${code.digest("base64")}` : `sha256=${code.digest("hex")}`;
}

/** Whether a signature is that of the message; takes a time that does not depend on where it differs. */
export function isSignatureOf(message: SignedMessage, signature: string, secret: string): boolean {
  return secretsEqual(signature, signMessage(message, secret));
}
