import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { secretKeyMissing, secretUnreadable } from "./errors.ts";

/** 32 bytes that are kept outside the database. */
export type SecretKey = Buffer;

/** Where the keys come from. */
export interface SecretKeys {
  /** The first one seals; the others open what was sealed before a rotation. */
  readonly all: readonly [SecretKey, ...SecretKey[]];
  /** Where they were read, for messages. */
  readonly from: string;
}

/**
 * Seals secrets before they are written, with a key that the database does not hold.
 *
 * Format: `esteira.sealed/1:KEY:NONCE:TAG:TEXT`, AES-256-GCM; what the secret is for is authenticated with it. KEY is
 * the start of the key's digest, so that a missing key has a name.
 */
export interface SecretBox {
  /** @throws what reading the keys throws */
  seal(text: string): Promise<string>;
  /** What is not sealed is given back as it is: earlier versions wrote it so. @throws OUTBOX_SECRET_UNREADABLE */
  open(sealed: string): Promise<string>;
  /** Sealed with the key that seals now. */
  isCurrent(sealed: string): Promise<boolean>;
}

/** With whichever key. */
export function isSealed(text: string): boolean {
  return text.startsWith(`${FORMAT}:`);
}

const FORMAT = "esteira.sealed/1";
const NONCE_BYTES = 12;

/**
 * @param options.keys read for each use, so that a rotation needs no restart; to `seal`, it makes a key where there is
 *   none, to `open` it gives undefined
 */
export function createSecretBox(options: {
  readonly purpose: string;
  readonly keys: (use: "seal" | "open") => Promise<SecretKeys | undefined>;
}): SecretBox {
  const additional = Buffer.from(options.purpose);
  return {
    async seal(text) {
      const found = await options.keys("seal");
      if (found === undefined) throw secretKeyMissing({ reason: "none was made" });
      const { all } = found;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", all[0], nonce).setAAD(additional);
      const hidden = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      const parts = [nonce, cipher.getAuthTag(), hidden].map((part) => part.toString("base64url"));
      return [FORMAT, nameOf(all[0]), ...parts].join(":");
    },
    async open(sealed) {
      const { name, parts } = split(sealed);
      if (name === undefined) return sealed;
      const { all = [], from = "this machine" } = (await options.keys("open")) ?? {};
      const key = all.find((one) => nameOf(one) === name);
      const known = all.map(nameOf);
      if (key === undefined) throw secretUnreadable({ purpose: options.purpose, key: name, known, from });
      const [nonce = Buffer.alloc(0), tag = Buffer.alloc(0), hidden = Buffer.alloc(0)] = parts;
      try {
        const cipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(additional).setAuthTag(tag);
        return Buffer.concat([cipher.update(hidden), cipher.final()]).toString("utf8");
      } catch (error) {
        throw secretUnreadable({ purpose: options.purpose, key: name, known, from }, error);
      }
    },
    async isCurrent(sealed) {
      const { name } = split(sealed);
      if (name === undefined) return false;
      const [first] = (await options.keys("open"))?.all ?? [];
      return first !== undefined && nameOf(first) === name;
    },
  };
}

/** Without a name where it is not sealed. */
function split(sealed: string): { readonly name: string | undefined; readonly parts: readonly Buffer[] } {
  if (!isSealed(sealed)) return { name: undefined, parts: [] };
  const [name = "", ...parts] = sealed.slice(FORMAT.length + 1).split(":");
  return { name, parts: parts.map((part) => Buffer.from(part, "base64url")) };
}

function nameOf(key: SecretKey): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 12);
}
