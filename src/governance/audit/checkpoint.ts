import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";

const ED25519_SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const ED25519 = 1;
const KEY_ID_BYTES = 4;
// The shortest signature has 68 bytes: what is shorter is a note that was cut off.
const NOTE = /^([^\n]+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n\n(?:— \S+ [A-Za-z0-9+/]{91,}={0,2}\n)+/;

/** What a checkpoint says: the log had `size` events, and this root. Source: C2SP tlog-checkpoint. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
  /** The signed note itself. */
  readonly note: string;
}

/** Signs checkpoints; its name is the log's origin. */
export interface CheckpointKey {
  readonly privateKey: KeyObject;
  /** Text by which others verify. */
  readonly verifierKey: string;
  readonly origin: string;
}

/** A new key, as PKCS #8 PEM text. */
export function createKeyText(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** @throws what node:crypto throws when the text is no Ed25519 key */
export function readKey(pem: string, origin: string): CheckpointKey {
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyType !== "ed25519")
    throw new TypeError(`it holds a key of type ${privateKey.asymmetricKeyType}, expected ed25519`);
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const publicKey = spki.subarray(ED25519_SPKI_PREFIX.length);
  const encoded = Buffer.concat([Buffer.from([ED25519]), publicKey]);
  return {
    privateKey,
    origin,
    verifierKey: `${origin}+${keyId(origin, encoded).toString("hex")}+${encoded.toString("base64")}`,
  };
}

/** A signed note over size and root. Source: C2SP signed-note. */
export function signCheckpoint(key: CheckpointKey, { size, root }: Pick<Checkpoint, "size" | "root">): Checkpoint {
  const { origin, privateKey } = key;
  const text = `${origin}\n${size}\n${root.toString("base64")}\n`;
  const { id } = parseVerifierKey(key.verifierKey) ?? { id: Buffer.alloc(KEY_ID_BYTES) };
  const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]).toString("base64");
  return { origin, size, root, note: `${text}\n— ${origin} ${signature}\n` };
}

/** The note at the start of a text; undefined when there is none. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [note, origin, size, root] = NOTE.exec(text) ?? [];
  if (note === undefined || origin === undefined || root === undefined) return undefined;
  return { origin, size: Number(size), root: Buffer.from(root, "base64"), note };
}

/**
 * Whether a note was signed by a key. Signatures of other keys are ignored, as the specification wants; without one of
 * this key the answer is `unsigned`.
 *
 * @param verifierKey `name+hash+key` as C2SP writes it
 */
export function checkSignature(note: string, verifierKey: string): "signed" | "unsigned" | "forged" | "key-invalid" {
  const key = parseVerifierKey(verifierKey);
  if (key === undefined) return "key-invalid";
  const end = note.indexOf("\n\n");
  const [text, signatures] = [note.slice(0, end + 1), note.slice(end + 2)];
  for (const line of signatures.split("\n")) {
    const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = Buffer.from(encoded ?? "", "base64");
    if (name !== key.name || !bytes.subarray(0, KEY_ID_BYTES).equals(key.id)) continue;
    return verify(null, Buffer.from(text), key.publicKey, bytes.subarray(KEY_ID_BYTES)) ? "signed" : "forged";
  }
  return "unsigned";
}

function parseVerifierKey(
  text: string,
): { readonly name: string; readonly id: Buffer; readonly publicKey: KeyObject } | undefined {
  const [, name, hex, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  if (name === undefined || hex === undefined || encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  const id = Buffer.from(hex, "hex");
  if (bytes[0] !== ED25519 || bytes.length !== 33 || !keyId(name, bytes).equals(id)) return undefined;
  const der = Buffer.concat([ED25519_SPKI_PREFIX, bytes.subarray(1)]);
  return { name, id, publicKey: createPublicKey({ key: der, format: "der", type: "spki" }) };
}

function keyId(name: string, encoded: Buffer): Buffer {
  return createHash("sha256").update(`${name}\n`).update(encoded).digest().subarray(0, KEY_ID_BYTES);
}
