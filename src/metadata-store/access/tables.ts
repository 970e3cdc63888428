export interface AccessTables {
  access_user: {
    name: string;
    /** `person` or `service` */
    kind: "person" | "service";
    /** A service account's owner. */
    owner: string | null;
    /** Addresses under which the user commits, JSON list. */
    emails: string;
    created_at_ms: number;
  };
  access_grant: {
    user_name: string;
    /** `*`: every project */
    project: string;
    role: string;
  };
  access_token: {
    id: string;
    user_name: string;
    label: string;
    /** sha256 of the secret, hexadecimal. */
    secret_hash: string;
    created_at_ms: number;
    expires_at_ms: number | null;
    last_used_at_ms: number | null;
    revoked_at_ms: number | null;
    /** The one action that it allows; null: all that its owner may do. */
    only_action: string | null;
  };
}
