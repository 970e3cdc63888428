export { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
export type { Channel, Dress, Message, Outcome } from "./ports.ts";
export { createAddressCheck, isPublicAddress } from "./public-address.ts";
export type { WebhookAnswer } from "./send.ts";
