export { createJobKind, type JobKindOptions } from "./job-kind.ts";
export type { WorkflowSettings } from "./compile-workflow.ts";
export { workflowCannotRun, workflowUnknown } from "./errors.ts";
export { createKeptFiles, type KeptFiles } from "./kept-files.ts";
export { acceptsPullRequest, acceptsPush, type PushedRef } from "./push-filter.ts";
export {
  createWorkflowSource,
  type FoundWorkflow,
  type WorkflowSource,
  type WorkflowState,
} from "./workflow-source.ts";
