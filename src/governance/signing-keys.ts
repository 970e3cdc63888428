import { type Identity, isAllowed } from "#access";
import type { Clock } from "#base";
import { appendEvent, type MetadataStore } from "#metadata-store";
import {
  getSigningKey,
  insertSigningKey,
  listSigningKeys,
  markSigningKeyRevoked,
  type SigningKey,
} from "#metadata-store/governance";
import { keyInvalid, keyMissing, keyRevocationDenied, keyUnproven } from "./errors.ts";
import { isSignedBy, keyIdOf } from "./signed-approval.ts";

/** Keys count in every project: they say who signs, not what they may do. */
const EVERY_PROJECT = "*";

/** A key that its owner asks to sign decisions with. */
export interface NewSigningKey {
  readonly identity: Identity;
  /** Raw Ed25519 key in base64. */
  readonly publicKey: string;
  /** Signature of `proofText`. */
  readonly proof: string;
  /** What its owner signed with it. */
  readonly proofText: string;
  readonly label: string;
}

/**
 * Registers the caller's own key. The same again changes nothing.
 *
 * @throws GOVERNANCE_KEY_INVALID, GOVERNANCE_KEY_UNPROVEN
 */
export async function registerKey(
  store: MetadataStore,
  { identity, publicKey, proof, proofText, label }: NewSigningKey,
  { clock }: { readonly clock: Clock },
): Promise<SigningKey> {
  const user = identity.name;
  const id = keyIdOf(publicKey);
  if (id === undefined) throw keyInvalid({ problem: "it is no Ed25519 public key of 32 bytes in base64" });
  if (!isSignedBy(publicKey, Buffer.from(proofText), proof)) throw keyUnproven({ user });
  return store.write(async (transaction) => {
    const key = { id, user, publicKey, label, createdAtMs: clock.now() };
    if (await insertSigningKey(transaction, key)) {
      await appendEvent(transaction, {
        atMs: key.createdAtMs,
        project: EVERY_PROJECT,
        type: "key.registered",
        subjectKind: "key",
        subject: id,
        actor: user,
        data: { user, label },
      });
      return { ...key, revokedAtMs: undefined };
    }
    const known = await getSigningKey(transaction, id);
    if (known?.user !== user) throw keyInvalid({ problem: "it is registered for another user" });
    if (known.revokedAtMs !== undefined) throw keyInvalid({ problem: "it was revoked" });
    return known;
  });
}

/** Keys of one user, or of all; newest first, at most 1,000. */
export function listKeys(store: MetadataStore, user?: string): Promise<readonly SigningKey[]> {
  return store.read((transaction) => listSigningKeys(transaction, user));
}

/**
 * Ends a key: what was signed with it counts no more. Its owner and administrators may.
 *
 * @throws GOVERNANCE_KEY_MISSING, GOVERNANCE_KEY_REVOCATION_DENIED
 */
export async function revokeKey(
  store: MetadataStore,
  { id, identity }: { readonly id: string; readonly identity: Identity },
  { clock }: { readonly clock: Clock },
): Promise<void> {
  await store.write(async (transaction) => {
    const known = await getSigningKey(transaction, id);
    if (known === undefined) throw keyMissing({ id });
    const actor = identity.name;
    if (known.user !== actor && !isAllowed(identity, "administer", { project: EVERY_PROJECT }))
      throw keyRevocationDenied({ actor, id, user: known.user });
    const atMs = clock.now();
    if (!(await markSigningKeyRevoked(transaction, { id, atMs }))) throw keyMissing({ id });
    await appendEvent(transaction, {
      atMs,
      project: EVERY_PROJECT,
      type: "key.revoked",
      subjectKind: "key",
      subject: id,
      actor,
      data: { user: known.user },
    });
  });
}
