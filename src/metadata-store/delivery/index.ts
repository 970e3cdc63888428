export {
  clearDeployed,
  type Deployed,
  type Deployment,
  type DeploymentStatus,
  endDeployment,
  endSupersededDeployments,
  getDeployment,
  insertDeployment,
  listDeployed,
  listDeployments,
  listReleaseCourses,
  type ReleaseCourse,
  setDeployed,
} from "./deployment.ts";
export {
  claimCommitChecks,
  type CommitCheck,
  listChecksOf,
  nextCommitCheckMs,
  queueCommitChecks,
  saveCommitCheck,
} from "./commit-check.ts";
export {
  getPullRequest,
  listPullRequests,
  markPreviewRemoved,
  type PullRequest,
  type PullRequestState,
  savePullRequest,
} from "./pull-request.ts";
export { getLatestPush, getPushDelivery, insertPushDelivery, type PushDelivery } from "./push-delivery.ts";
export {
  countReleases,
  getRelease,
  insertRelease,
  listReleases,
  listReleasesById,
  type Release,
  type ReleaseVersion,
} from "./release.ts";
