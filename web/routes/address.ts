const encode = encodeURIComponent;

/** Addresses of the pages, so that no page builds one by hand. */
export const address = {
  home: () => "/",
  pipelines: () => "/pipelines",
  pipeline: (name: string) => `/pipelines/${encode(name)}`,
  run: (id: string) => `/runs/${encode(id)}`,
  stepRun: (runId: string, stepRunId: string) => `/runs/${encode(runId)}?step=${encode(stepRunId)}`,
  runningRuns: () => "/pipelines?tab=runs&status=running",
  datasets: () => "/datasets",
  dataset: (name: string, version?: number) =>
    `/datasets/${encode(name)}${version === undefined ? "" : `?version=${version}`}`,
  quarantine: (name: string) => `/datasets/${encode(name)}?tab=quarantine`,
  dashboards: () => "/dashboards",
  dashboard: (name: string) => `/dashboards/${encode(name)}`,
  models: () => "/models",
  model: (name: string) => `/models/${encode(name)}`,
  modelVersion: (name: string, version: number) => `/models/${encode(name)}/${version}`,
  notebook: (versionId: string, stepRunId?: string) =>
    `/notebooks/${encode(versionId)}${stepRunId === undefined ? "" : `?stepRun=${encode(stepRunId)}`}`,
  endpoints: () => "/endpoints",
  endpoint: (environment: string, name: string) => `/endpoint/${encode(environment)}/${encode(name)}`,
  prediction: (id: string) => `/predictions/${encode(id)}`,
  alerts: () => "/alerts",
  releases: () => "/releases",
  approvals: () => "/approvals",
  experiments: () => "/experiments",
  experiment: (id: string) => `/experiments/${encode(id)}`,
  trackingRun: (id: string) => `/experiments/run/${encode(id)}`,
  compareRuns: (ids: readonly string[]) => `/experiments/compare?runs=${ids.map(encode).join(",")}`,
  registry: () => "/registry",
  registeredModel: (name: string) => `/registry/${encode(name)}`,
  registeredVersion: (name: string, version: number | string) => `/registry/${encode(name)}/${encode(String(version))}`,
  lineage: (versionId: string) => `/lineage/${encode(versionId)}`,
} as const;

/** The page of an asset version, by its kind. */
export function versionAddress(reference: {
  readonly id: string;
  readonly kind: string;
  readonly asset: string;
  readonly version?: number | undefined;
}): string {
  switch (reference.kind) {
    case "data":
    case "features":
      return address.dataset(reference.asset, reference.version);
    case "model":
      return reference.version === undefined
        ? address.model(reference.asset)
        : address.modelVersion(reference.asset, reference.version);
    case "notebook":
      return address.notebook(reference.id);
    default:
      return address.lineage(reference.id);
  }
}
