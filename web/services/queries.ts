import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type {
  Alert,
  Approvals,
  AssetVersionSummary,
  DashboardDetail,
  DashboardSummary,
  DatasetDetail,
  DatasetRows,
  DatasetSummary,
  EndpointDetail,
  EndpointSummary,
  Environment,
  LineageGraph,
  ModelDetail,
  ModelSummary,
  ModelVersionRecord,
  ModelVersionSummary,
  Monitor,
  NotebookVersion,
  Overview,
  Page,
  PipelineDetail,
  PipelineRunDetail,
  PipelineRunSummary,
  PipelineSummary,
  PredictionDetail,
  PredictionSummary,
  QuarantinedRow,
  Release,
  Session,
  StepRun,
} from "#api";
import { get, path, type QueryValues } from "./api.ts";

const PAGE_SIZE = 100;

function one<Answer>(key: readonly unknown[], address: string, query: QueryValues = {}) {
  return queryOptions({ queryKey: [...key, query], queryFn: ({ signal }) => get<Answer>(address, query, signal) });
}

function pages<Item>(key: readonly unknown[], address: string, query: QueryValues = {}) {
  return infiniteQueryOptions({
    queryKey: [...key, "pages", query],
    queryFn: ({ pageParam, signal }) =>
      get<Page<Item>>(address, { limit: PAGE_SIZE, ...query, after: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<Item>) => page.next,
  });
}

/** Everything the pages read, with the key it is kept under; the first part of a key is what `changeTargets` names. */
export const queries = {
  session: () => one<Session>(["session"], "/session"),
  overview: () => one<Overview>(["overview"], "/overview"),
  pipelines: () => pages<PipelineSummary>(["pipelines"], "/pipelines"),
  pipeline: (name: string) => one<PipelineDetail>(["pipelines", name], path`/pipelines/${name}`),
  pipelineRuns: (query: QueryValues) => pages<PipelineRunSummary>(["pipeline-runs"], "/pipeline-runs", query),
  pipelineRun: (id: string) => one<PipelineRunDetail>(["pipeline-runs", id], path`/pipeline-runs/${id}`),
  stepRuns: (id: string, query: QueryValues) =>
    pages<StepRun>(["pipeline-runs", id, "step-runs"], path`/pipeline-runs/${id}/step-runs`, { limit: 1000, ...query }),
  datasets: () => pages<DatasetSummary>(["datasets"], "/datasets"),
  dataset: (name: string, version?: number) =>
    one<DatasetDetail>(["datasets", name], path`/datasets/${name}`, { version }),
  datasetRows: (name: string, query: QueryValues) =>
    one<DatasetRows>(["datasets", name, "rows"], path`/datasets/${name}/rows`, query),
  quarantine: (name: string, query: QueryValues) =>
    pages<QuarantinedRow>(["datasets", name, "quarantine"], path`/datasets/${name}/quarantine`, query),
  assetVersions: (name: string) => pages<AssetVersionSummary>(["assets", name], path`/assets/${name}/versions`),
  models: () => pages<ModelSummary>(["models"], "/models"),
  model: (name: string) => one<ModelDetail>(["models", name], path`/models/${name}`),
  modelVersions: (name: string) =>
    pages<ModelVersionSummary>(["models", name, "versions"], path`/models/${name}/versions`),
  modelVersion: (name: string, version: number) =>
    one<ModelVersionRecord>(["models", name, version], path`/models/${name}/versions/${version}`),
  lineage: (id: string, direction: "upstream" | "downstream") =>
    one<LineageGraph>(["lineage", id], path`/lineage/${id}`, { direction }),
  notebook: (id: string, stepRun?: string) =>
    one<NotebookVersion>(
      ["notebooks", id, stepRun ?? ""],
      path`/notebooks/${id}`,
      stepRun === undefined ? {} : { stepRun },
    ),
  endpoints: () => pages<EndpointSummary>(["endpoints"], "/endpoints"),
  endpoint: (environment: string, name: string) =>
    one<EndpointDetail>(["endpoints", environment, name], path`/endpoints/${environment}/${name}`),
  predictions: (environment: string, name: string, query: QueryValues) =>
    pages<PredictionSummary>(
      ["predictions", environment, name],
      path`/endpoints/${environment}/${name}/predictions`,
      query,
    ),
  prediction: (id: string) => one<PredictionDetail>(["predictions", id], path`/predictions/${id}`),
  monitors: () => pages<Monitor>(["monitors"], "/monitors"),
  alerts: () => pages<Alert>(["alerts"], "/alerts"),
  environments: () => one<Page<Environment>>(["environments"], "/environments"),
  releases: (query: QueryValues = {}) => pages<Release>(["releases"], "/releases", query),
  approvals: () => one<Approvals>(["approvals"], "/approvals"),
  dashboards: () => pages<DashboardSummary>(["dashboards"], "/dashboards"),
  dashboard: (name: string) => one<DashboardDetail>(["dashboards", name], path`/dashboards/${name}`),
} as const;
