export {
  type ApprovalSubject,
  countApprovals,
  countDecisions,
  getApproval,
  insertApproval,
  listApprovalRows,
  markApprovalRevoked,
  type StoredApproval,
} from "./approval.ts";
export {
  type ApprovalRequest,
  closeApprovalRequest,
  countApprovalRequests,
  listApprovalRequests,
  upsertApprovalRequest,
} from "./approval-request.ts";
export {
  getSigningKey,
  insertSigningKey,
  listSigningKeys,
  markSigningKeyRevoked,
  type SigningKey,
} from "./signing-key.ts";
export { listAuthors } from "./authors.ts";
export { countVerdicts, getVerdict, listVerdicts, recordVerdict, type StoredVerdict } from "./verdict.ts";
