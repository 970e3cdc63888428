import type { ReadTransaction, WriteTransaction } from "#metadata-store";

/** Something on its way to one address. */
export interface Message {
  /** The same for every try. */
  readonly id: string;
  readonly url: string;
  /** Of a mail, its text. */
  readonly body: string;
  /** Sent by SMTP: `url` is `smtp://host:port`. */
  readonly mail?: Mail | undefined;
  /** Tries before this one. */
  readonly attempts: number;
}

/** A mail beside its text. */
export interface Mail {
  readonly security: "starttls" | "tls" | "none";
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  /** Without angle brackets. */
  readonly messageId: string;
  /** The mail that it belongs to. */
  readonly inReplyTo?: string | undefined;
}

/** How a message is dressed for its receiver. */
export interface Dress {
  /** Signs when given. A message that was to be signed is never sent without. */
  readonly secret: string | undefined;
  /** Names of the headers, in the receiver's words; undefined: it knows none. */
  readonly headers?:
    | {
        readonly id: string;
        readonly timestamp: string;
        readonly signature: string;
      }
    | undefined;
  readonly signatureForm?: "sha256" | "v1";
  /** Sent as it is. */
  readonly authorization?: string | undefined;
  /** Who signs in at a mail server. */
  readonly login?: { readonly user: string; readonly password: string } | undefined;
}

/** How a try ended, as it is written down. */
export interface Outcome {
  /** `pending`: it is tried again at `dueAtMs`. */
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  readonly dueAtMs: number;
  readonly responseStatus: number | undefined;
  readonly error: string | undefined;
}

/** A kind of thing that is sent out, in the store of the module that has it. Declared here, implemented there. */
export interface Channel<Sent extends Message = Message> {
  /** For the log: `webhook`, `alert`. */
  readonly name: string;
  /** Tries in all. */
  readonly mostAttempts: number;
  /** When the next message comes due; undefined when none is pending. */
  readonly nextDueMs: (transaction: ReadTransaction) => Promise<number | undefined>;
  /** Takes messages that are due and keeps other processes from them until `claimUntilMs`. */
  readonly claim: (
    transaction: WriteTransaction,
    claim: { readonly nowMs: number; readonly claimUntilMs: number; readonly limit: number },
  ) => Promise<readonly Sent[]>;
  /** @returns why it cannot be sent now, when it cannot */
  readonly dress: (message: Sent) => Promise<Dress | { readonly refused: string }>;
  /** Whether a message is sent again after this status. Default: when the receiver was too busy or had a fault. */
  readonly isWorthAnother?: (status: number) => boolean;
  /** Pause before the next try. Default: 1 s, 2 s, 4 s, … up to a minute. */
  readonly pauseMs?: (attempts: number) => number;
  readonly record: (transaction: WriteTransaction, message: Sent, outcome: Outcome) => Promise<void>;
}
