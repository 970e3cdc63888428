import { createHash, createPublicKey, verify } from "node:crypto";
import { z } from "zod";
import type { Digest } from "#base";
import { listEvents, type ReadTransaction } from "#metadata-store";
import { getUser } from "#metadata-store/access";
import { getSigningKey, type SigningKey, type StoredApproval } from "#metadata-store/governance";

const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const PREDICATE_TYPE = "https://esteira.dev/approval/v1";
const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
/** DER of an Ed25519 public key before its 32 bytes. */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const LARGEST_ENVELOPE = 16_384;
const EVENTS_READ = 1000;

/** A DSSE envelope. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

const envelopeSchema: z.ZodType<Envelope> = z.object({
  payloadType: z.string(),
  payload: z.string(),
  signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })).length(1),
});

const hex = z.string().regex(/^[0-9a-f]{64}$/);

const statementSchema = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.object({ digest: z.object({ sha256: hex }) })).length(1),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.object({
    project: z.string(),
    environment: z.string(),
    rules: z.object({ sha256: hex }),
    decision: z.enum(["approved", "refused"]),
    reviewer: z.string(),
    decidedAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().optional(),
  }),
});

/** What a decision has to be over, to count. */
export interface SignedSubject {
  readonly project: string;
  readonly digest: string;
  readonly environment: string;
  readonly rulesDigest: Digest;
}

/** A signature that holds: who decided what, until when. */
export interface SignedDecision {
  readonly key: SigningKey;
  readonly decision: "approved" | "refused";
  readonly reviewer: string;
  /** Who it counts for: the reviewer, or the owner of the service account. */
  readonly countsFor: string;
  readonly expiresAtMs: number | undefined;
}

/** The sha256 of a raw public key; undefined when it is none. */
export function keyIdOf(publicKey: string): string | undefined {
  const bytes = Buffer.from(publicKey, "base64");
  if (bytes.length !== KEY_BYTES || bytes.toString("base64") !== publicKey) return undefined;
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether a signature in base64 is of these bytes and this key. */
export function isSignedBy(publicKey: string, bytes: Uint8Array, signature: string): boolean {
  const sig = Buffer.from(signature, "base64");
  if (sig.length !== SIGNATURE_BYTES || keyIdOf(publicKey) === undefined) return false;
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, Buffer.from(publicKey, "base64")]),
    format: "der",
    type: "spki",
  });
  return verify(null, bytes, key, sig);
}

/**
 * Reads a signed decision and checks it against what it has to be over. What the row of an approval says beside it is
 * not looked at.
 *
 * @returns what does not hold, in words, where it does not
 */
export async function readSignedDecision(
  transaction: ReadTransaction,
  text: string,
  subject: SignedSubject,
): Promise<SignedDecision | { readonly problem: string }> {
  const problem = (words: string): { readonly problem: string } => ({ problem: words });
  const envelope = parseEnvelope(text);
  const signature = envelope?.signatures[0];
  if (envelope === undefined || signature === undefined) return problem("it is no envelope with one signature");
  if (envelope.payloadType !== PAYLOAD_TYPE) return problem(`its payload type is not ${PAYLOAD_TYPE}`);
  const key = await getSigningKey(transaction, signature.keyid);
  if (key === undefined || keyIdOf(key.publicKey) !== key.id || !(await isRegistered(transaction, key)))
    return problem("its key is not registered");
  const payload = Buffer.from(envelope.payload, "base64");
  if (!isSignedBy(key.publicKey, encode(envelope.payloadType, payload), signature.sig))
    return problem("its signature does not fit");
  const { data: statement } = statementSchema.safeParse(parseJson(payload.toString("utf8")));
  if (statement === undefined) return problem("it is no statement of an approval");
  const { predicate } = statement;
  const other = otherThan(subject, statement);
  if (other !== undefined) return problem(other);
  if (predicate.reviewer !== key.user) return problem("its key is another user's");
  const user = await getUser(transaction, key.user);
  return {
    key,
    decision: predicate.decision,
    reviewer: key.user,
    countsFor: user?.owner ?? key.user,
    expiresAtMs: predicate.expiresAt === undefined ? undefined : Date.parse(predicate.expiresAt),
  };
}

/** What a statement says that is not this subject. */
function otherThan(
  subject: SignedSubject,
  { subject: subjects, predicate }: z.output<typeof statementSchema>,
): string | undefined {
  if (`sha256:${subjects[0]?.digest.sha256}` !== subject.digest) return "it is over another digest";
  if (predicate.project !== subject.project) return "it is for another project";
  if (predicate.environment !== subject.environment) return "it is for another environment";
  if (`sha256:${predicate.rules.sha256}` !== subject.rulesDigest) return "it was given under other rules";
  return undefined;
}

/**
 * What an approval counts as under rules that ask for signatures, at a moment; undefined when it does not: revoked or
 * expired, signed with a key that was revoked, or not signed for this.
 */
export async function countSigned(
  transaction: ReadTransaction,
  row: StoredApproval,
  { atMs, ...subject }: SignedSubject & { readonly atMs: number },
): Promise<{ readonly actor: string; readonly countsFor: string } | undefined> {
  if (row.envelope === undefined) return undefined;
  const read = await readSignedDecision(transaction, row.envelope, subject);
  if ("problem" in read || read.decision !== "approved") return undefined;
  if (read.expiresAtMs !== undefined && read.expiresAtMs <= atMs) return undefined;
  if (read.key.revokedAtMs !== undefined && read.key.revokedAtMs <= atMs) return undefined;
  const ended = await listEvents(transaction, {
    subjectKind: "approval",
    subject: subject.digest,
    limit: EVENTS_READ,
    newestFirst: true,
  });
  const seal = digestOfEnvelope(row.envelope);
  const isRevoked = ended.some(
    (event) => event.type === "approval.revoked" && event.data.envelope === seal && event.atMs <= atMs,
  );
  return isRevoked ? undefined : { actor: read.reviewer, countsFor: read.countsFor };
}

/** Names an envelope in the event of its revocation. */
export function digestOfEnvelope(text: string): string {
  return `sha256:${createHash("sha256")
    .update(parseEnvelope(text)?.signatures[0]?.sig ?? text)
    .digest("hex")}`;
}

/** Id of the key that an envelope says it is signed with. */
export function signerOf(text: string): string | undefined {
  return parseEnvelope(text)?.signatures[0]?.keyid;
}

/** @returns undefined when it is none, or too large */
function parseEnvelope(text: string): Envelope | undefined {
  if (text.length > LARGEST_ENVELOPE) return undefined;
  return envelopeSchema.safeParse(parseJson(text)).data;
}

/** A row alone makes no key: its owner registered it, and the event says so; nor does an event of its end go away. */
async function isRegistered(transaction: ReadTransaction, key: SigningKey): Promise<boolean> {
  const events = await listEvents(transaction, { subjectKind: "key", subject: key.id, limit: EVENTS_READ });
  const isItsOwners = events.some((event) => event.type === "key.registered" && event.data.user === key.user);
  return isItsOwners && (key.revokedAtMs !== undefined || !events.some(({ type }) => type === "key.revoked"));
}

function encode(payloadType: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
