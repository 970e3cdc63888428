import { defineError, type ErrorFactory } from "#base";

export const eventLogDamaged: ErrorFactory<{ level: number; number: number; expected: number; found: number }> =
  defineError("GOVERNANCE_EVENT_LOG_DAMAGED", {
    status: 500,
    message: ({ level, number, expected, found }) =>
      `Tile ${number} of level ${level} of the event log holds ${found} hashes, expected ${expected}: somebody changed the metadata store`,
    hint: () => "esteira audit verify says what was changed.",
    solve: "Run `esteira audit verify`, and restore the metadata store from a backup that it finds intact.",
  });

export const auditKeyUnusable: ErrorFactory<{ file: string; reason: string }> = defineError(
  "GOVERNANCE_AUDIT_KEY_UNUSABLE",
  {
    status: 500,
    message: ({ file, reason }) => `The key of the event log, ${file}, cannot sign: ${reason}`,
    hint: () => "It is an Ed25519 key in PKCS #8 PEM; restore the one that signed the earlier checkpoints.",
    solve:
      "Restore the key file from a backup, readable by the account of the platform alone. Another key cannot go on with the log.",
  },
);

export const logForked: ErrorFactory<{ size: number; signed: number }> = defineError("GOVERNANCE_EVENT_LOG_FORKED", {
  status: 500,
  message: ({ size, signed }) =>
    `The event log has ${size} events and does not continue the signed checkpoint of ${signed}: nothing is signed any more`,
  hint: () => "esteira audit verify says what was changed; a metadata store restored from an older copy looks so too.",
  solve:
    "Run `esteira audit verify`. After restoring an older copy on purpose, move the checkpoint file aside: the log begins a new one.",
});

export const eventUnknown: ErrorFactory<{ event: string }> = defineError("GOVERNANCE_EVENT_UNKNOWN", {
  status: 404,
  message: ({ event }) => `There is no event ${event} in the log`,
  hint: () => "An event is named by its number. List them with: esteira audit export",
  solve: "Use a number that `esteira audit export` shows.",
});

export const proofInvalid: ErrorFactory<{ file: string; reason: string }> = defineError("GOVERNANCE_PROOF_INVALID", {
  status: 400,
  message: ({ file, reason }) => `${file} proves nothing: ${reason}`,
  hint: () => "Ask who made it for the proof again, and check it with the key that they publish.",
  solve: "Check the file as it was made by `esteira audit prove`, with the verifier key of the log that it comes from.",
});

export const checkpointUnreadable: ErrorFactory<{ file: string; reason: string }> = defineError(
  "GOVERNANCE_CHECKPOINT_UNREADABLE",
  {
    status: 400,
    message: ({ file, reason }) => `${file} holds no checkpoint: ${reason}`,
    hint: () => "A checkpoint is a signed note: origin, size, root, an empty line, signatures.",
    solve: "Give a file with one or more checkpoints, such as a copy of `audit/checkpoints` of the store.",
  },
);

export const logUnsigned: ErrorFactory<Record<never, never>> = defineError("GOVERNANCE_EVENT_LOG_UNSIGNED", {
  status: 409,
  message: () => "The event log has no signed checkpoint here",
  hint: () => "It is signed on the machine that holds its key; an empty log is signed with its first event.",
  solve: "Run the command on the machine that holds the key of the log, or name the key in esteira.yaml: `audit.key`.",
});
