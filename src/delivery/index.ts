export {
  createDelivery,
  type Delivery,
  type DeliveryOptions,
  type DeploymentWatch,
  type FinishedDeployment,
  type NewDeployment,
  type StandingRelease,
} from "./delivery.ts";
export { createDeployKind, type DeployDeclaration, type DeployKindOptions } from "./deploy-kind.ts";
export { type Environment, PRODUCTION, isolationOfModels, isolationOfPipeline } from "./environment.ts";
export type {
  ApprovalCheck,
  ApprovalDecision,
  EnvironmentRules,
  ModelDeployment,
  ModelTarget,
  TargetState,
} from "./ports.ts";
export {
  type CaughtUpPush,
  catchUpPushes,
  createPushHandler,
  type PushAnswer,
  type PushHandlerOptions,
  type PushRequest,
  signPush,
} from "./push.ts";
export { installPushHook } from "./push-hook.ts";
export {
  createWebhookHandler,
  LARGEST_WEBHOOK_BYTES,
  type WebhookAnswer,
  type WebhookHandlerOptions,
} from "./webhook.ts";
export { type StrategyDeclaration, strategySchema } from "./strategy.ts";
export type { ReleaseSettings } from "./release-settings.ts";
