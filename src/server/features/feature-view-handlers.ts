import type { Platform } from "#app";
import { formatWindow } from "#features";
import type { ApiHandlers } from "../api/api-mounts.ts";

/** Feature views and how far they are online. */
export function createFeatureViewHandlers({ features }: Platform): Pick<ApiHandlers, "listFeatureViews"> {
  return {
    async listFeatureViews() {
      const statuses = await features.viewStatus();
      return {
        items: statuses.map(({ view, source, online, isCurrent, pushes }) => ({
          name: view.name,
          description: view.description,
          source: view.source,
          entities: view.entities,
          features: view.features,
          ...(view.windows.length === 0
            ? {}
            : { windows: Object.fromEntries(view.windows.map((window) => [window.name, formatWindow(window)])) }),
          sourceVersion: source?.version,
          onlineVersion: online?.sourceVersion,
          isCurrent,
          onlineAtMs: online?.materializedAtMs,
          ...(view.push === undefined || pushes === undefined ? {} : { push: { name: view.push, ...pushes } }),
        })),
      };
    },
  };
}
