import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { ApiShapes, CallName, ClientRequest, ClientResponse, Page } from "#api";
import { call } from "./api.ts";

const PAGE_SIZE = 100;

/** Names of the calls that answer a page of a list. */
type ListName = {
  [Name in CallName]: ApiShapes[Name] extends { query: { after?: string | undefined }; response: Page<unknown> }
    ? Name
    : never;
}[CallName];

/** The query of a call. */
type QueryOf<Name extends CallName> = ClientRequest<Name> extends { readonly query?: infer Query } ? Query : never;

function one<Name extends CallName>(key: readonly unknown[], name: Name, request: ClientRequest<Name>) {
  const { query = {} } = request as { readonly query?: object };
  return queryOptions({ queryKey: [...key, query], queryFn: ({ signal }) => call(name, request, signal) });
}

function pages<Name extends ListName>(key: readonly unknown[], name: Name, request: ClientRequest<Name>) {
  const { query = {} } = request as { readonly query?: object };
  return infiniteQueryOptions({
    queryKey: [...key, "pages", query],
    queryFn: ({ pageParam, signal }) =>
      call(name, { ...(request as object), query: { limit: PAGE_SIZE, ...query, after: pageParam } } as never, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: ClientResponse<Name>) => page.next,
  });
}

/** Everything the pages read, with the key it is kept under; the first part of a key is what `changeTargets` names. */
export const queries = {
  session: () => one(["session"], "getSession", {}),
  overview: () => one(["overview"], "getOverview", {}),
  pipelines: () => pages(["pipelines"], "listPipelines", {}),
  pipeline: (name: string) => one(["pipelines", name], "getPipeline", { params: { name } }),
  testHistory: (name: string) =>
    one(["pipelines", name, "tests"], "getTestHistory", { params: { name }, query: { runs: 100 } }),
  schedules: () => one(["pipelines", "schedules"], "listSchedules", {}),
  retrainings: () => one(["pipelines", "retrainings"], "listRetrainings", {}),
  pools: () => one(["pipeline-runs", "pools"], "listPools", {}),
  queue: () => one(["pipeline-runs", "queue"], "listQueue", {}),
  pipelineRuns: (query: QueryOf<"listPipelineRuns">) => pages(["pipeline-runs"], "listPipelineRuns", { query }),
  pipelineRun: (id: string) => one(["pipeline-runs", id], "getPipelineRun", { params: { id } }),
  /** Apart from what every change has read again: it is large, and looked at by its own clock. */
  runGrid: (id: string, status: string) => one(["run-grid", id, status], "getPipelineRunGrid", { params: { id } }),
  partitionGrid: (name: string) => one(["partition-grid", name], "getPartitionGrid", { params: { name } }),
  stepRuns: (id: string, query: QueryOf<"listStepRuns">) =>
    pages(["pipeline-runs", id, "step-runs"], "listStepRuns", { params: { id }, query: { limit: 1000, ...query } }),
  datasets: () => pages(["datasets"], "listDatasets", {}),
  dataset: (name: string, version?: number) =>
    one(["datasets", name], "getDataset", { params: { name }, query: { version } }),
  datasetRows: (name: string, query: QueryOf<"getDatasetRows">) =>
    one(["datasets", name, "rows"], "getDatasetRows", { params: { name }, query }),
  quarantine: (name: string, query: QueryOf<"listQuarantinedRows">) =>
    pages(["datasets", name, "quarantine"], "listQuarantinedRows", { params: { name }, query }),
  featureViews: () => one(["datasets", "", "feature-views"], "listFeatureViews", {}),
  assetVersions: (name: string) => pages(["assets", name], "listAssetVersions", { params: { name } }),
  models: () => pages(["models"], "listModels", {}),
  model: (name: string) => one(["models", name], "getModel", { params: { name } }),
  modelVersions: (name: string) => pages(["models", name, "versions"], "listModelVersions", { params: { name } }),
  modelVersion: (name: string, version: number) =>
    one(["models", name, version], "getModelVersion", { params: { name, version } }),
  lineage: (id: string, direction: "upstream" | "downstream") =>
    one(["lineage", id], "getLineage", { params: { id }, query: { direction } }),
  notebook: (id: string, stepRun?: string) =>
    one(["notebooks", id, stepRun ?? ""], "getNotebookVersion", { params: { id }, query: { stepRun } }),
  endpoints: () => pages(["endpoints"], "listEndpoints", {}),
  endpoint: (environment: string, name: string) =>
    one(["endpoints", environment, name], "getEndpoint", { params: { environment, name } }),
  endpointWindow: (environment: string, name: string, at: number | undefined) =>
    one(["endpoints", environment, name, "window", String(at ?? "")], "getEndpointWindow", {
      params: { environment, name },
      query: at === undefined ? {} : { at },
    }),
  predictions: (environment: string, name: string, query: QueryOf<"listPredictions">) =>
    pages(["predictions", environment, name], "listPredictions", { params: { environment, name }, query }),
  prediction: (id: string) => one(["predictions", id], "getPrediction", { params: { id } }),
  monitors: () => pages(["monitors"], "listMonitors", {}),
  alerts: () => pages(["alerts"], "listAlerts", {}),
  alert: (id: string) => one(["alerts", id], "getAlert", { params: { id } }),
  environments: () => one(["environments"], "listEnvironments", {}),
  releases: (query: QueryOf<"listReleases"> = {}) => pages(["releases"], "listReleases", { query }),
  releaseComparison: (from: string, to: string) =>
    one(["releases", "comparison"], "compareReleases", { query: { from, to } }),
  approvals: () => one(["approvals"], "listApprovals", {}),
  recipeDifference: (name: string, query: QueryOf<"getRecipe">) =>
    one(["approvals", "recipe", name], "getRecipe", { params: { name }, query }),
  dashboards: () => pages(["dashboards"], "listDashboards", {}),
  dashboard: (name: string) => one(["dashboards", name], "getDashboard", { params: { name } }),
} as const;
