export { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
export type { Channel, Dress, Mail, Message, Outcome } from "./ports.ts";
export { createAddressCheck, isPublicAddress } from "./public-address.ts";
export { secretKeyInvalid, secretKeyMissing, secretUnreadable } from "./errors.ts";
export { createSecretBox, isSealed, type SecretBox, type SecretKey, type SecretKeys } from "./secret-box.ts";
export type { WebhookAnswer } from "./send.ts";
