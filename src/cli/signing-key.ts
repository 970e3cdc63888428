import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  APPROVAL_PAYLOAD_TYPE,
  type ApprovalStatement,
  formatApprovalStatement,
  keyProofText,
  preAuthEncoding,
  type SignedEnvelope,
} from "#api";
import type { Settings } from "#config";
import { keyExists, keyUnreadable } from "./errors.ts";

const RAW_BYTES = 32;

/** A private key of this machine's user, with what the server knows of it. */
export interface OwnKey {
  /** Raw, base64. */
  readonly publicKey: string;
  /** sha256 of it. */
  readonly id: string;
  readonly privateKey: KeyObject;
}

/** Where the key of a user is kept: beside the settings of other programs, not in the project. */
export function keyFile({ homeFolder }: Settings, user: string): string {
  const name = user.replaceAll(/[^\w.@-]/g, "_");
  return join(homeFolder ?? ".", ".config", "esteira", "keys", `${name}.pem`);
}

/**
 * Makes an Ed25519 key in a file that only its owner reads; with a passphrase it is encrypted. @throws CLI_KEY_EXISTS
 */
export async function makeKey(file: string, passphrase: string | undefined): Promise<OwnKey> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const locked = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  const text = privateKey.export({ type: "pkcs8", format: "pem", ...locked });
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, text, { mode: 0o600, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "EEXIST" ? keyExists({ file }) : error;
  });
  await chmod(file, 0o600);
  return toOwnKey(privateKey);
}

/** Reads a key; undefined when there is no such file. @throws CLI_KEY_UNREADABLE */
export async function readKey(file: string, passphrase: string | undefined): Promise<OwnKey | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const privateKey = createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) });
    if (privateKey.asymmetricKeyType !== "ed25519") throw new Error("it is no Ed25519 key");
    return toOwnKey(privateKey);
  } catch (error) {
    throw keyUnreadable({ file, reason: error instanceof Error ? error.message : String(error) });
  }
}

/** Shows that the caller has the key that is registered. */
export function proveKey({ privateKey, publicKey }: OwnKey, user: string): string {
  return sign(null, Buffer.from(keyProofText(user, publicKey)), privateKey).toString("base64");
}

/** Signs a decision as a DSSE envelope. */
export function signStatement({ privateKey, id }: OwnKey, statement: ApprovalStatement): SignedEnvelope {
  const payload = Buffer.from(formatApprovalStatement(statement));
  const sig = sign(null, preAuthEncoding(APPROVAL_PAYLOAD_TYPE, payload), privateKey).toString("base64");
  return { payloadType: APPROVAL_PAYLOAD_TYPE, payload: payload.toString("base64"), signatures: [{ keyid: id, sig }] };
}

function toOwnKey(privateKey: KeyObject): OwnKey {
  const der = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const raw = der.subarray(der.length - RAW_BYTES);
  const id = createHash("sha256").update(raw).digest("hex");
  return { privateKey, id, publicKey: raw.toString("base64") };
}
