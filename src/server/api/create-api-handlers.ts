import type { Platform } from "#app";
import { createAlertHandlers } from "../alerts/alert-handlers.ts";
import { createApprovalHandlers } from "../approvals/approval-handlers.ts";
import { createChangeHandlers } from "../changes/change-handlers.ts";
import { createDashboardHandlers } from "../dashboards/dashboard-handlers.ts";
import { createDatasetHandlers } from "../datasets/dataset-handlers.ts";
import { createEndpointHandlers } from "../endpoints/endpoint-handlers.ts";
import { createWindowHandler } from "../endpoints/window-handler.ts";
import { createFeatureViewHandlers } from "../features/feature-view-handlers.ts";
import { createLineageHandlers } from "../lineage/lineage-handlers.ts";
import { createModelHandlers } from "../models/model-handlers.ts";
import { createNotebookHandlers } from "../notebooks/notebook-handlers.ts";
import { createOverviewHandlers } from "../overview/overview-handlers.ts";
import { createPipelineRunHandlers } from "../pipeline-runs/pipeline-run-handlers.ts";
import { createQueueHandlers } from "../pipeline-runs/queue-handlers.ts";
import { createRetrainingHandlers } from "../pipelines/retraining-handlers.ts";
import { createScheduleHandlers } from "../pipelines/schedule-handlers.ts";
import { createBackfillHandlers } from "../pipelines/backfill-handlers.ts";
import { createGridHandlers } from "../pipelines/grid-handlers.ts";
import { createPipelineHandlers } from "../pipelines/pipeline-handlers.ts";
import { createQueryHandlers } from "../datasets/query-handlers.ts";
import { createRecipeHandlers } from "../recipes/recipe-handlers.ts";
import { createPreviewHandlers } from "../releases/preview-handlers.ts";
import { createReleaseHandlers } from "../releases/release-handlers.ts";
import { createSessionHandlers } from "../session/session-handlers.ts";
import type { ApiHandlers } from "./api-mounts.ts";

/** Everything that answers the API, over one platform. */
export function createApiHandlers(platform: Platform): ApiHandlers {
  return {
    ...createSessionHandlers(platform),
    ...createOverviewHandlers(platform),
    ...createChangeHandlers(platform),
    ...createPipelineHandlers(platform),
    ...createBackfillHandlers(platform),
    ...createGridHandlers(platform),
    ...createQueueHandlers(platform),
    ...createScheduleHandlers(platform),
    ...createRetrainingHandlers(platform),
    ...createPipelineRunHandlers(platform),
    ...createDatasetHandlers(platform),
    ...createFeatureViewHandlers(platform),
    ...createModelHandlers(platform),
    ...createLineageHandlers(platform),
    ...createNotebookHandlers(platform),
    ...createEndpointHandlers(platform),
    ...createWindowHandler(platform),
    ...createAlertHandlers(platform),
    ...createReleaseHandlers(platform),
    ...createPreviewHandlers(platform),
    ...createApprovalHandlers(platform),
    ...createQueryHandlers(platform),
    ...createRecipeHandlers(platform),
    ...createDashboardHandlers(platform),
  };
}
