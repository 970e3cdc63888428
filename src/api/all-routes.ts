import { apiRoutes } from "./api-routes.ts";
import { missingMlflowRoutes } from "./missing-mlflow-routes.ts";
import { mlflowRoutes } from "./mlflow-routes.ts";
import { descriptionRoutes, hookRoutes, operationRoutes } from "./operation-routes.ts";
import type { Route } from "./route.ts";
import { featureRoutes, monitoringRoutes, servingRoutes } from "./serving-routes.ts";

/** A route with the name of what it does; names are unique within a surface. */
export interface NamedRoute {
  readonly name: string;
  readonly route: Route;
}

/** Every route that the server has, but for the files of the page. */
export function listRoutes(): readonly NamedRoute[] {
  const tables: readonly Readonly<Record<string, Route>>[] = [
    apiRoutes as unknown as Readonly<Record<string, Route>>,
    descriptionRoutes,
    servingRoutes,
    monitoringRoutes,
    featureRoutes,
    hookRoutes,
    operationRoutes,
    mlflowRoutes,
  ];
  return tables.flatMap((table) => Object.entries(table).map(([name, route]) => ({ name, route })));
}

/** MLflow's calls that only say why they are not served. */
export function listMissingRoutes(): readonly NamedRoute[] {
  return Object.entries(missingMlflowRoutes).flatMap(([name, routes]) => routes.map((route) => ({ name, route })));
}
