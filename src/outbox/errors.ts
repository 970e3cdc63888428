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

export const networkInvalid: ErrorFactory<{ network: string }> = defineError("OUTBOX_NETWORK_INVALID", {
  status: 400,
  message: ({ network }) => `"${network}" is no network: expected an address with the length of its prefix`,
  hint: () => "Write it as 10.1.0.0/16 or fd00::/8 under outbox: { private_networks: […] } of esteira.yaml.",
  solve: "Write networks as `10.1.0.0/16` or `fd00::/8`; one address alone is one too.",
});
