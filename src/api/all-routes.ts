import { apiRoutes } from "./api-routes.ts";
import { apiSummaries } from "./api-summaries.ts";
import { eventRoutes } from "./event-routes.ts";
import { missingMlflowRoutes } from "./missing-mlflow-routes.ts";
import { mlflowRoutes } from "./mlflow-routes.ts";
import { descriptionRoutes, hookRoutes, operationRoutes } from "./operation-routes.ts";
import type { Route } from "./route.ts";
import { workerRoutes } from "./worker-routes.ts";
import { featureRoutes, monitoringRoutes, openaiRoutes, servingRoutes } from "./serving-routes.ts";

const NOT_SERVED = "Not served here; answers why";

/** A route with the name of what it does; names are unique within a surface. */
export interface NamedRoute {
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  readonly route: Route;
}

/** Every route that the server has, but for the files of the page. */
export function listRoutes(): readonly NamedRoute[] {
  const tables: readonly Readonly<Record<string, Route>>[] = [
    apiRoutes,
    eventRoutes,
    descriptionRoutes,
    servingRoutes,
    openaiRoutes,
    monitoringRoutes,
    featureRoutes,
    hookRoutes,
    operationRoutes,
    workerRoutes,
    mlflowRoutes,
  ];
  const summaries: Readonly<Record<string, string>> = apiSummaries;
  return tables.flatMap((table) =>
    Object.entries(table).map(([name, route]) => ({ name, summary: route.summary ?? summaries[name] ?? name, route })),
  );
}

/** MLflow's calls that only say why they are not served. */
export function listMissingRoutes(): readonly NamedRoute[] {
  return Object.entries(missingMlflowRoutes).flatMap(([name, routes]) =>
    routes.map((route) => ({ name, summary: NOT_SERVED, route })),
  );
}
