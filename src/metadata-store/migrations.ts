import { predictionHistoryMigration } from "./migrations/0028-prediction-history.ts";
import type { Migration } from "./migrate.ts";
import { trackingMigration } from "./migrations/0004-tracking.ts";
import { registryMigration } from "./migrations/0005-registry.ts";
import { dataMigration } from "./migrations/0006-data.ts";
import { featuresMigration } from "./migrations/0007-features.ts";
import { servingMigration } from "./migrations/0008-serving.ts";
import { accessGovernanceDeliveryMigration } from "./migrations/0009-access-governance-delivery.ts";
import { attemptTokenMigration } from "./migrations/0010-attempt-token.ts";
import { datasetLifecycleMigration } from "./migrations/0011-dataset-lifecycle.ts";
import { servingTrialsMigration } from "./migrations/0012-serving-trials.ts";
import { growthMigration } from "./migrations/0013-growth.ts";
import { ownConditionMigration } from "./migrations/0014-own-condition.ts";
import { engineIndexMigration } from "./migrations/0015-engine-index.ts";
import { signedApprovalsMigration } from "./migrations/0016-signed-approvals.ts";
import { eventLogMigration } from "./migrations/0017-event-log.ts";
import { engineItemsMigration } from "./migrations/0018-engine-items.ts";
import { intervalsMigration } from "./migrations/0019-intervals.ts";
import { partitionsMigration } from "./migrations/0020-partitions.ts";
import { poolsMigration } from "./migrations/0021-pools.ts";
import { objectivesMigration } from "./migrations/0025-objectives.ts";
import { alertNoticesMigration } from "./migrations/0022-alert-notices.ts";
import { pushedEventsMigration } from "./migrations/0023-pushed-events.ts";
import { sensorsMigration } from "./migrations/0024-sensors.ts";
import { expiredVersionsMigration } from "./migrations/0026-expired-versions.ts";
import { pullRequestsMigration } from "./migrations/0029-pull-requests.ts";
import { deadlinesMigration } from "./migrations/0030-deadlines.ts";
import { propensitiesMigration } from "./migrations/0031-propensities.ts";
import { deploymentCommentsMigration } from "./migrations/0032-deployment-comments.ts";
import { pushedFeaturesMigration } from "./migrations/0034-pushed-features.ts";
import { toldCharactersMigration } from "./migrations/0035-told-characters.ts";
import { logSegmentsMigration } from "./migrations/0033-log-segments.ts";
import { tasksMigration } from "./migrations/0027-tasks.ts";
import { assetMigration } from "./migrations/0002-asset.ts";
import { pipelineMigration } from "./migrations/0003-pipeline.ts";
import { eventMigration } from "./migrations/0001-event.ts";

/** In order of application. A released one is never changed. */
export const migrations: readonly Migration[] = [
  eventMigration,
  assetMigration,
  pipelineMigration,
  trackingMigration,
  registryMigration,
  dataMigration,
  featuresMigration,
  servingMigration,
  accessGovernanceDeliveryMigration,
  attemptTokenMigration,
  datasetLifecycleMigration,
  servingTrialsMigration,
  growthMigration,
  ownConditionMigration,
  engineIndexMigration,
  signedApprovalsMigration,
  eventLogMigration,
  engineItemsMigration,
  intervalsMigration,
  partitionsMigration,
  poolsMigration,
  alertNoticesMigration,
  pushedEventsMigration,
  objectivesMigration,
  sensorsMigration,
  expiredVersionsMigration,
  pullRequestsMigration,
  predictionHistoryMigration,
  deadlinesMigration,
  tasksMigration,
  propensitiesMigration,
  deploymentCommentsMigration,
  pushedFeaturesMigration,
  logSegmentsMigration,
  toldCharactersMigration,
];
