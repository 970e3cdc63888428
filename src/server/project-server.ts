import type { Platform } from "#app";
import { createApiHandlers } from "./api/create-api-handlers.ts";
import { apiMounts } from "./api/api-mounts.ts";
import { descriptionMounts } from "./api/describe-routes.ts";
import { monitoringMounts, servingMounts } from "./endpoints/endpoint-mounts.ts";
import { onlineFeatureMounts } from "./features/online-feature-mounts.ts";
import { gitMounts } from "./hooks/git-mounts.ts";
import { eventMounts } from "./datasets/event-mounts.ts";
import { hookMounts } from "./hooks/hook-mounts.ts";
import { workerMounts } from "./workers/worker-mounts.ts";
import type { Mounted } from "./routing/mount-routes.ts";

/** What needs the whole platform: the API, endpoints, online features, pushes and webhooks. */
export async function projectMounts(platform: Platform): Promise<readonly Mounted[]> {
  return [
    ...(await apiMounts(createApiHandlers(platform))),
    ...descriptionMounts(),
    ...servingMounts(platform.servingCalls),
    ...monitoringMounts(platform.monitoringCalls),
    ...onlineFeatureMounts(platform),
    ...eventMounts(platform),
    ...hookMounts(platform),
    ...gitMounts(platform),
    ...workerMounts(platform),
  ];
}
