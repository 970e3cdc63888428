import type { HttpMethod, Route } from "./route.ts";

/**
 * MLflow's calls that are not served, by what is missing; `GET,POST path`. Each answers with the reason, under every
 * prefix. Source: the route table of MLflow 3.11 and 3.17.
 */
const MISSING_CALLS = {
  traces: [
    "GET,POST mlflow/traces",
    "POST mlflow/traces/search",
    "GET,PATCH mlflow/traces/:trace_id",
    "GET mlflow/traces/:trace_id/info",
    "PATCH,DELETE mlflow/traces/:trace_id/tags",
    "POST mlflow/traces/delete-traces",
    "POST mlflow/traces/link-prompts",
    "POST mlflow/traces/link-to-run",
    "GET mlflow/traces/get",
    "GET,POST mlflow/traces/batchGet",
    "POST mlflow/traces/batchGetInfos",
    "POST mlflow/traces/calculate-filter-correlation",
    "POST mlflow/traces/metrics",
    "GET mlflow/get-trace-artifact",
    "GET mlflow/get-online-trace-details",
    "GET,POST mlflow/unified-traces",
  ],
  assessments: [
    "POST mlflow/traces/:trace_id/assessments",
    "GET,PATCH,DELETE mlflow/traces/:trace_id/assessments/:assessment_id",
  ],
  evaluationDatasets: [
    "POST mlflow/datasets/create",
    "GET,POST mlflow/datasets/search",
    "GET,DELETE mlflow/datasets/:dataset_id",
    "POST mlflow/datasets/:dataset_id/add-experiments",
    "POST mlflow/datasets/:dataset_id/remove-experiments",
    "GET mlflow/datasets/:dataset_id/experiment-ids",
    "GET,POST,DELETE mlflow/datasets/:dataset_id/records",
    "PATCH mlflow/datasets/:dataset_id/tags",
    "DELETE mlflow/datasets/:dataset_id/tags/:key",
  ],
  scorers: [
    "POST mlflow/scorer/invoke",
    "POST mlflow/scorers/register",
    "GET mlflow/scorers/list",
    "GET mlflow/scorers/versions",
    "GET mlflow/scorers/get",
    "DELETE mlflow/scorers/delete",
    "PUT mlflow/scorers/online-config",
    "GET mlflow/scorers/online-configs",
  ],
  issues: [
    "POST mlflow/issues",
    "GET,PATCH mlflow/issues/:issue_id",
    "POST mlflow/issues/search",
    "POST mlflow/issues/invoke",
  ],
  gateway: ["GET,POST mlflow/gateway-proxy", "GET,POST,PUT,PATCH,DELETE mlflow/gateway/*"],
  promptOptimization: ["GET,POST,DELETE mlflow/prompt-optimization/*"],
  promptEngineering: ["POST mlflow/runs/create-promptlab-run"],
  jobs: ["GET,PATCH mlflow/jobs/*"],
  demo: ["POST mlflow/demo/*"],
  telemetry: ["GET,POST mlflow/ui-telemetry"],
  workspaces: ["GET,POST mlflow/workspaces", "GET,PATCH,DELETE mlflow/workspaces/*"],
  graphql: ["GET,POST /graphql"],
} as const;

/** What of MLflow is not here. */
export type MissingMlflowPart = keyof typeof MISSING_CALLS;

/** The routes of what is not here: known, so that clients hear why. They read nothing, also no body. */
export const missingMlflowRoutes: Readonly<Record<MissingMlflowPart, readonly Route[]>> = Object.fromEntries(
  Object.entries(MISSING_CALLS).map(([part, calls]) => [part, calls.flatMap(toRoutes)]),
) as unknown as Readonly<Record<MissingMlflowPart, readonly Route[]>>;

function toRoutes(call: string): readonly Route[] {
  const [methods = "", path = ""] = call.split(" ");
  const facts = { action: "read", resource: "project" } as const;
  return methods
    .split(",")
    .map((method) => ({ surface: "mlflow", method: method as HttpMethod, path, ...facts, errors: "mlflow" }));
}
