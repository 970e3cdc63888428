/** A key with which a user signs decisions. */
export interface SigningKey {
  /** sha256 of the public key. */
  readonly id: string;
  readonly user: string;
  readonly label: string;
  readonly createdAtMs: number;
  readonly revokedAtMs?: number | undefined;
}

/** Body of `POST keys`. */
export interface NewSigningKey {
  /** Raw Ed25519 public key, 32 bytes in base64. */
  readonly publicKey: string;
  /** Signature of `keyProofText` with the key, base64. */
  readonly proof: string;
  readonly label?: string | undefined;
}

export interface SigningKeys {
  /** Newest first. */
  readonly items: readonly SigningKey[];
  /** There are older ones, which are not told. */
  readonly more: boolean;
}
