export { ATTEMPT_TAG } from "#metadata-store/tracking";
export { createRegistryCalls } from "./mlflow-rest/create-registry-calls.ts";
export type { RegistryCallsOptions } from "./mlflow-rest/registry-context.ts";
export type { Promotion, PromotionCheck } from "./ports.ts";
export { CHAMPION_ALIAS } from "./protected-alias.ts";
export { purgeDeleted, type PurgeOptions, type PurgeReport } from "./purge-deleted.ts";
export { findVersion } from "./version-source.ts";
export { examineWebhookSecrets, type KeptSecrets, sealWebhookSecrets } from "./webhook-secrets.ts";
export { createWebhookSender, type WebhookSender, type WebhookSenderOptions } from "./webhook-sender.ts";
