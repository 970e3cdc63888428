export {
  addLoggedModelMetrics,
  addLoggedModelParams,
  deleteLoggedModel,
  deleteLoggedModelTag,
  getLoggedModel,
  type LoggedModelChange,
  setLoggedModelStatus,
  setLoggedModelTags,
} from "./change-logged-model.ts";
export { deleteModelVersion, transitionModelVersion, updateModelVersion } from "./change-model-version.ts";
export { deleteRegisteredModel, renameRegisteredModel, updateRegisteredModel } from "./change-registered-model.ts";
export { createLoggedModel } from "./create-logged-model.ts";
export { createModelVersion } from "./create-model-version.ts";
export { createRegisteredModel, isPromptTag } from "./create-registered-model.ts";
export { WEBHOOK_ACTIONS, webhookBody, type WebhookEntity, type WebhookEvent } from "./enqueue-webhooks.ts";
export { modelAliasMissing, modelVersionMissing, registeredModelMissing } from "./errors.ts";
export {
  getLatestModelVersions,
  getModelVersion,
  getModelVersionOfAsset,
  listAliasedAssets,
  listModelVersionsOfAssets,
} from "./get-model-version.ts";
export { getRegisteredModel, isPromptModel } from "./get-registered-model.ts";
export { isPipelineModel } from "./is-pipeline-model.ts";
export type { KeyValue } from "./key-value.ts";
export type { Position } from "./keyset.ts";
export type { LoggedModel } from "./logged-model.ts";
export { deleteModelVersionTag, setModelVersionTag } from "./model-version-tag.ts";
export type { ModelVersion } from "./model-version.ts";
export {
  deleteRegisteredModelAlias,
  getModelVersionByAlias,
  setRegisteredModelAlias,
} from "./registered-model-alias.ts";
export { deleteRegisteredModelTag, setRegisteredModelTag } from "./registered-model-tag.ts";
export type { RegisteredModel } from "./registered-model.ts";
export { getExperimentLocation, getRunLocation, type RunLocation } from "./run-location.ts";
export {
  LOGGED_MODEL_NUMBERS,
  type LoggedModelCondition,
  type LoggedModelOrder,
  searchLoggedModels,
} from "./search-logged-models.ts";
export { type ModelVersionCondition, type ModelVersionOrder, searchModelVersions } from "./search-model-versions.ts";
export { type RegisteredModelCondition, searchRegisteredModels } from "./search-registered-models.ts";
export { LOGGED_MODEL_STATUSES, MODEL_STAGES, type ModelStage } from "./tables.ts";
export {
  claimWebhookDeliveries,
  deleteEndedDeliveries,
  nextWebhookDeliveryMs,
  recordWebhookDelivery,
  type WebhookDelivery,
} from "./webhook-delivery.ts";
export {
  createWebhook,
  deleteWebhook,
  getWebhook,
  getWebhookSecret,
  listWebhooks,
  listWebhookSecrets,
  replaceWebhookSecret,
  updateWebhook,
  type Webhook,
} from "./webhook.ts";
