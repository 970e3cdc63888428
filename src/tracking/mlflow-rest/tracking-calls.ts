import { experimentRoutes } from "./experiments.ts";
import { loggingRoutes } from "./logging.ts";
import { metricHistoryRoutes } from "./metric-history.ts";
import { missingCalls } from "./missing-calls.ts";
import type { MlflowCall } from "./call.ts";
import { runInputRoutes } from "./run-inputs.ts";
import { runSearchRoutes } from "./run-search.ts";
import { runRoutes } from "./runs.ts";
import { serverInfoRoutes } from "./server-info.ts";
import type { TrackingContext, TrackingCallsOptions } from "./tracking-call.ts";

/**
 * MLflow's tracking calls: experiments, runs, metrics, params, tags, inputs, search, and what the server says of
 * itself.
 * Mount them beside the registry's.
 */
export function createTrackingCalls(options: TrackingCallsOptions): readonly MlflowCall[] {
  const context: TrackingContext = { ...options, project: options.project ?? "default" };
  return [
    ...experimentRoutes(context),
    ...runRoutes(context),
    ...loggingRoutes(context),
    ...metricHistoryRoutes(context),
    ...runSearchRoutes(context),
    ...runInputRoutes(context),
    ...serverInfoRoutes(),
    ...missingCalls(),
  ];
}
