import type { Endpoint } from "#metadata-store/serving";
import type { PredictRequest, RowFeatures } from "./endpoints.ts";
import { endpointNotReady, featuresMissing } from "./errors.ts";
import type { ModelSignature } from "./model-signature.ts";
import { refuseUnknown } from "./row-source.ts";
import type { MissingPolicy, OnlineFeatures, ServedFeatures, ServiceDescription } from "./ports.ts";

/** Adds online features to the rows of endpoints that name a feature service. */
export type FeatureReader = (
  endpoint: Endpoint,
  signature: ModelSignature,
  request: PredictRequest,
) => Promise<PredictRequest>;

/**
 * What a row brings itself wins over the store, null too. Of what the store lacks, or has no value of that is young
 * enough at the row's own time, the feature's policy decides; without one, a row that lacks everything is refused, and
 * a single feature is null where the model takes null. A stored null is a value: it was null in the training data too.
 *
 * @throws SERVING_FEATURES_MISSING
 */
export function createFeatureReader(features: OnlineFeatures | undefined): FeatureReader {
  return async (endpoint, signature, request) => {
    const service = endpoint.options.featureService;
    if (service === undefined) return request;
    if (features === undefined)
      throw endpointNotReady({
        environment: endpoint.environment,
        endpoint: endpoint.name,
        reason: `its feature service "${service}" needs an online store, and none is set up`,
      });
    const description = await features.describeService(service);
    const served = signature.inputs.map(({ name }) => name).filter((name) => description.features.has(name));
    const allowedColumns = new Set([...description.keys, ...description.features.keys()]);
    const { source } = request;
    // Before anything is read: the features themselves will fill what a misspelt one left out.
    if (request.unknownColumns !== "ignore") refuseUnknown(signature, source, allowedColumns);
    const rows = Array.from({ length: source.rowCount }, (_, row) => row);
    const needsStore = rows.some((row) => served.some((name) => source.value(row, name) === undefined));
    if (!needsStore)
      return {
        ...request,
        allowedColumns,
        features: { names: served, rows: rows.map(() => ({})), sent: rows.map(() => served) },
      };
    const records = rows.map((row) =>
      Object.fromEntries(source.names(row).map((name) => [name, source.value(row, name)])),
    );
    const found = await features.read({
      project: endpoint.project,
      service,
      rows: records,
      ...(request.atMs === undefined ? {} : { atMs: request.atMs }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    const read = rows.map((row) =>
      readRow({ row, served, found, description, signature, service, record: records[row] ?? {} }),
    );
    return {
      ...request,
      allowedColumns,
      features: {
        names: served,
        rows: read.map(({ statuses }) => statuses),
        sent: records.map((record) => served.filter((name) => record[name] !== undefined)),
      },
      nullableColumns: new Set(served.filter((name) => description.features.get(name)?.action === "null")),
      source: {
        rowCount: source.rowCount,
        names: (row) => [...new Set([...source.names(row), ...served])],
        value: (row, name) => {
          const own = source.value(row, name);
          return own === undefined ? read[row]?.values.get(name) : own;
        },
      },
    };
  };
}

interface Reading {
  readonly row: number;
  readonly served: readonly string[];
  readonly found: ServedFeatures;
  readonly description: ServiceDescription;
  readonly signature: ModelSignature;
  readonly service: string;
  readonly record: Readonly<Record<string, unknown>>;
}

/** What the store, or a policy, gives one row. @throws SERVING_FEATURES_MISSING */
function readRow(reading: Reading): { readonly values: ReadonlyMap<string, unknown>; readonly statuses: RowFeatures } {
  const { row, served, found, description, record } = reading;
  const values = new Map<string, unknown>();
  const statuses: Record<string, RowFeatures[string]> = {};
  const wanted = served.filter((name) => record[name] === undefined);
  const missing: string[] = [];
  for (const name of wanted) {
    const column = found.get(name);
    const status = column?.statuses[row] ?? "NOT_FOUND";
    values.set(name, column?.values[row] ?? null);
    if (status !== "PRESENT") statuses[name] = status;
    if (status === "NOT_FOUND" || status === "OUTSIDE_MAX_AGE") missing.push(name);
  }
  for (const name of missing) {
    const policy = description.features.get(name);
    if (isRefused(policy, { name, lacksAll: missing.length === wanted.length, signature: reading.signature }))
      throw refusal(reading, { missing, statuses, name });
    if (policy?.action !== "default") continue;
    values.set(name, policy.value ?? null);
    statuses[name] = "DEFAULT";
  }
  return { values, statuses };
}

function isRefused(
  policy: MissingPolicy | undefined,
  facts: { readonly name: string; readonly lacksAll: boolean; readonly signature: ModelSignature },
): boolean {
  if (policy !== undefined) return policy.action === "refuse";
  return facts.lacksAll || facts.signature.inputs.find(({ name }) => name === facts.name)?.nullable !== true;
}

function refusal(
  { row, service, description, record }: Reading,
  facts: { readonly missing: readonly string[]; readonly statuses: RowFeatures; readonly name: string },
): Error {
  const keys = description.keys.map((key) => `${key}=${JSON.stringify(record[key] ?? null)}`);
  return featuresMissing({
    service,
    row,
    keys,
    missing: facts.missing.map(
      (name) => `${name} (${facts.statuses[name] === "OUTSIDE_MAX_AGE" ? "too old" : "not found"})`,
    ),
    feature: facts.name,
  });
}
