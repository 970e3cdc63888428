/** Type of the payload of an approval's envelope. */
export const APPROVAL_PAYLOAD_TYPE = "application/vnd.in-toto+json";
export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
export const APPROVAL_PREDICATE_TYPE = "https://esteira.dev/approval/v1";

/** A DSSE envelope: a payload and who signed it. */
export interface SignedEnvelope {
  readonly payloadType: string;
  /** Base64. */
  readonly payload: string;
  readonly signatures: readonly {
    /** Of a registered key. */
    readonly keyid: string;
    /** Base64, of the pre-authentication encoding. */
    readonly sig: string;
  }[];
}

/** What a decision says. */
export interface ApprovalStatement {
  readonly project: string;
  readonly environment: string;
  /** What is decided over: `recipe`, `model`, `rules`, … */
  readonly kind: string;
  /** Its name, for people. */
  readonly name: string;
  /** `sha256:…` of what is decided over. */
  readonly digest: string;
  /** `sha256:…` of the rules of the environment. */
  readonly rulesDigest: string;
  readonly decision: "approved" | "refused";
  /** Who decides, and signs. */
  readonly reviewer: string;
  readonly atMs: number;
  /** Undefined: until it is revoked. */
  readonly expiresAtMs?: number | undefined;
}

/** The in-toto statement of a decision, as the text that is signed. */
export function formatApprovalStatement(statement: ApprovalStatement): string {
  const { project, environment, kind, name, digest, rulesDigest, decision, reviewer, atMs, expiresAtMs } = statement;
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: [{ name, digest: { sha256: hexOf(digest) } }],
    predicateType: APPROVAL_PREDICATE_TYPE,
    predicate: {
      project,
      environment,
      kind,
      rules: { sha256: hexOf(rulesDigest) },
      decision,
      reviewer,
      decidedAt: new Date(atMs).toISOString(),
      ...(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }),
    },
  });
}

/** What DSSE signs: the type and the payload, with their lengths in bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const text = new TextEncoder();
  const head = text.encode(`DSSEv1 ${text.encode(payloadType).length} ${payloadType} ${payload.length} `);
  const all = new Uint8Array(head.length + payload.length);
  all.set(head);
  all.set(payload, head.length);
  return all;
}

/** What the owner of a key signs with it when it is registered, so that nobody registers another's. */
export function keyProofText(user: string, publicKey: string): string {
  return `esteira-signing-key of ${user}: ${publicKey}`;
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, "");
}
