import { createHash, timingSafeEqual } from "node:crypto";
import { canonicalJson } from "./canonical-json.ts";

/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = `sha256:${string}`;

/** Digest of bytes or of UTF-8 text. */
export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** Digest of a JSON value, by its canonical form. */
export function digestOfJson(value: unknown): Digest {
  return digestOf(canonicalJson(value));
}

/** A digest computed piece by piece. */
export function createDigester(): { update(piece: Uint8Array | string): void; digest(): Digest } {
  const hash = createHash("sha256");
  return {
    update: (piece) => {
      hash.update(piece);
    },
    digest: () => `sha256:${hash.digest("hex")}`,
  };
}

/** True for the form `sha256:<64 hex>`. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** Compares two secrets in a time that does not depend on where they differ. */
export function secretsEqual(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
