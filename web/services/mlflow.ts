import { MLFLOW_PLACE_OF_PAGES, mlflowRoutes, type MlflowRouteName, type QueryValues, toAddress } from "#api";
import { send } from "./api.ts";

/**
 * Calls MLflow by the name of what it does.
 *
 * @param fields those that its path names go there, the others into the query string of what only reads, else into the
 *   body
 * @throws ProblemError with MLflow's `error_code`
 */
export function callMlflow<Answer>(name: MlflowRouteName, fields: object, signal?: AbortSignal): Promise<Answer> {
  const route = mlflowRoutes[name];
  const isRead = route.method === "GET";
  const values = fields as QueryValues & Readonly<Record<string, string>>;
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, each]) => each ?? "");
  const query = Object.fromEntries(Object.entries(values).filter(([each]) => !inPath.includes(each)));
  return send<Answer>({
    method: route.method,
    address: toAddress(route, { params: values, query: isRead ? query : {} }, MLFLOW_PLACE_OF_PAGES),
    ...(isRead ? {} : { body: fields }),
    ...(signal === undefined ? {} : { signal }),
  });
}
