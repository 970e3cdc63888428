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
  type PushedRepository,
  type PushRequest,
} from "./push.ts";
export { type CommitStatusOptions, createCommitStatusChannel, type Forge, type ForgeKind } from "./commit-status.ts";
export { createPreviews, type Previews, type PreviewState } from "./previews.ts";
export type { PullRequestOptions, ToldPullRequest } from "./pull-request.ts";
export { PROOFS, signPush } from "./push-sender.ts";
export {
  createHostedRepository,
  type HostedExchange,
  type HostedRepository,
  type HostedRepositoryOptions,
} from "./hosted-repository.ts";
export { installPushHook } from "./push-hook.ts";
export {
  createWebhookHandler,
  LARGEST_WEBHOOK_BYTES,
  type WebhookAnswer,
  type WebhookHandlerOptions,
} from "./webhook.ts";
export {
  addObservation,
  type AnswerComparison,
  type ArmObservation,
  bucketOfClass,
  bucketOfNumber,
  type TrialRecord,
} from "./rollout/arm-record.ts";
export { explainPlan } from "./rollout/explain-verdict.ts";
export type { Outcomes } from "./rollout/outcome-metric.ts";
export type { CandidateWatch, KeptTrial, OpenTrial, RolloutTarget, TrialChange } from "./rollout/ports.ts";
export { type ByHand, createRollouts, type Rollouts, type RolloutsOptions } from "./rollout/rollouts.ts";
export { parseStrategy, type TrialPlan } from "./rollout/trial-plan.ts";
export type { TrialArmReport, TrialReport } from "./rollout/trial-report.ts";
export type { TrialVerdict } from "./rollout/verdict.ts";
export { listModelServers, type ModelServer } from "./model-servers.ts";
export { compareSettings, type SettingChange } from "./compare-settings.ts";
export { sideMissing, targetKeyMissing } from "./errors.ts";
export type { EnvironmentRollback, RollbackPlan } from "./roll-back-together.ts";
export type { ReleaseSettings } from "./release-settings.ts";
export type { KubernetesTarget } from "./kubernetes-target.ts";
