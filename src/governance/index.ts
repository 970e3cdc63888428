export { type ApprovalCheckOptions, createApprovalCheck, type ProtectionDecision } from "./approval-check.ts";
export { type CommitAuthors, commitOf } from "./approval-subject.ts";
export {
  approve,
  type ApproveOptions,
  listApprovals,
  listPendingApprovals,
  type NewDecision,
  type PendingApproval,
  revokeApproval,
} from "./approve.ts";
export {
  type AuditLog,
  type AuditLogOptions,
  type CheckpointKeeper,
  checkpointFileOf,
  createAuditLog,
  readVerifierKey,
} from "./audit/audit-log.ts";
export { type Checkpoint } from "./audit/checkpoint.ts";
export { type ExportedLine, exportLog } from "./audit/export-log.ts";
export { logUnsigned } from "./audit/errors.ts";
export { checkProof, proveEvent, type ProvenEvent } from "./audit/proof.ts";
export {
  type AuditVerification,
  parseCheckpointSource,
  readCheckpointSource,
  verifyAudit,
} from "./audit/verify-audit.ts";
export type { LogFinding } from "./audit/verify-log.ts";
export type { RowFinding } from "./audit/verify-rows.ts";
export { createPromotionCheck } from "./promotion-check.ts";
export {
  findNamedVersion,
  type Trace,
  traceDownstream,
  type TraceNode,
  tracePrediction,
  traceVersion,
} from "./trace.ts";
export { findRecipesOf } from "./recipe-approval.ts";
export { compareRecipes, compareVersionRecipes } from "./recipe-difference.ts";
export { type EnvironmentRules, type FreezePeriod, type WrittenRules } from "./environment-rules.ts";
export { createRules, type Rules, type WrittenEnvironment } from "./rules.ts";
export { describeRules } from "./rules-description.ts";
export { signerOf } from "./signed-approval.ts";
export { listKeys, type NewSigningKey, registerKey, revokeKey } from "./signing-keys.ts";
