import type { Endpoint } from "#metadata-store";
import type { PredictRequest } from "./endpoints.ts";
import { endpointNotReady } from "./errors.ts";
import type { ModelSignature } from "./model-signature.ts";
import type { OnlineFeatures } from "./ports.ts";

/**
 * Adds online features to the rows of endpoints that name a feature service. A column that the request brings itself wins;
 * what the store lacks is missing, which the model's signature allows or refuses.
 */
export function createFeatureReader(features: OnlineFeatures | undefined): (endpoint: Endpoint, signature: ModelSignature, request: PredictRequest) => Promise<PredictRequest> {
  return async (endpoint, signature, request) => {
    const service = endpoint.options.featureService;
    if (service === undefined) return request;
    if (features === undefined) throw endpointNotReady({ environment: endpoint.environment, endpoint: endpoint.name, reason: `its feature service "${service}" needs an online store, and none is set up` });
    const { source } = request;
    const rows = Array.from({ length: source.rowCount }, (_, row) => Object.fromEntries(source.names(row).map((name) => [name, source.value(row, name)])));
    const atMs = request.atMs === undefined ? undefined : Math.max(...request.atMs);
    const found = await features.read({ project: endpoint.project, service, rows, ...(atMs === undefined ? {} : { atMs }), ...(request.signal === undefined ? {} : { signal: request.signal }) });
    const inputs = signature.inputs.map((input) => input.name);
    return {
      ...request,
      // Join keys are not inputs of the model, so they must not be refused as unknown.
      unknownColumns: "ignore",
      source: {
        rowCount: source.rowCount,
        names: (row) => [...new Set([...source.names(row), ...inputs.filter((name) => found.has(name))])],
        value: (row, name) => source.value(row, name) ?? (found.has(name) ? (found.get(name)?.[row] ?? null) : undefined),
      },
    };
  };
}
