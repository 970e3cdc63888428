import { defineError, type ErrorFactory } from "#base";

export const webhookTargetRefused: ErrorFactory<{ url: string; reason: string }> = defineError(
  "MODELS_WEBHOOK_TARGET_REFUSED",
  {
    status: 400,
    message: ({ url, reason }) => `Webhook URL ${url} is refused: ${reason}`,
    solve:
      "Use an https address whose host resolves to public addresses, or let the server's operator allow private ones.",
  },
);

export const secretUnreadable: ErrorFactory<{
  purpose: string;
  key: string;
  known: readonly string[];
  from: string;
}> = defineError("OUTBOX_SECRET_UNREADABLE", {
  status: 500,
  message: ({ purpose, key, known, from }) =>
    known.includes(key)
      ? `A ${purpose} is not what was sealed with key ${key}: it was changed in the database`
      : `A ${purpose} is sealed with key ${key}; ${from} holds ${known.length === 0 ? "none" : known.join(", ")}`,
  hint: ({ key, known }) =>
    known.includes(key)
      ? "Give the webhook its secret again."
      : `Bring the key ${key} back, as a further line of the key file or behind a comma in ESTEIRA_SECRETS_KEY; without it, set the secret again.`,
  solve:
    "Bring back the key that the message names (a line of `~/.config/esteira/secrets.key`, or a part of `ESTEIRA_SECRETS_KEY`), or set the secret again.",
});

export const secretKeyMissing: ErrorFactory<{ reason: string }> = defineError("OUTBOX_SECRET_KEY_MISSING", {
  status: 500,
  message: ({ reason }) => `There is no place for the key that seals secrets: ${reason}`,
  hint: () => "Set ESTEIRA_SECRETS_KEY to 32 random bytes in base64: openssl rand -base64 32",
  solve: "Set `ESTEIRA_SECRETS_KEY` to 32 random bytes in base64, or give the user a home folder outside the store.",
});

export const secretKeyInvalid: ErrorFactory<{ from: string; problem: string }> = defineError(
  "OUTBOX_SECRET_KEY_INVALID",
  {
    status: 500,
    message: ({ from, problem }) => `The keys of ${from} cannot be used: ${problem}`,
    hint: () => "Each key is 32 random bytes in base64 (openssl rand -base64 32), and its owner's alone.",
    solve: "Let the key file have mode 0600 and hold 32 random bytes in base64 a line.",
  },
);

export const networkInvalid: ErrorFactory<{ network: string }> = defineError("OUTBOX_NETWORK_INVALID", {
  status: 400,
  message: ({ network }) => `"${network}" is no network: expected an address with the length of its prefix`,
  hint: () => "Write it as 10.1.0.0/16 or fd00::/8 under outbox: { private_networks: […] } of esteira.yaml.",
  solve: "Write networks as `10.1.0.0/16` or `fd00::/8`; one address alone is one too.",
});
