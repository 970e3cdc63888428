import { createSecretBox, type SecretBox } from "#outbox";

/** Seals with a key of the tests. */
export const testSecrets: SecretBox = createSecretBox({
  purpose: "webhook secret",
  keys: () => Promise.resolve({ all: [Buffer.alloc(32, 7)], from: "the tests" }),
});
