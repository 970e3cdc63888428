import type {
  Alert,
  DatasetDetail,
  DatasetSummary,
  EndpointSummary,
  ModelDetail,
  ModelSummary,
  Page,
  PredictionDetail,
  PredictionSummary,
} from "#api";
import type { ApiClient } from "./api-client.ts";

/** What the demo did, for machines. */
export interface DemoReport {
  readonly datasets: readonly {
    readonly name: string;
    readonly versions: number;
    readonly rows: number;
    readonly quarantined: number;
  }[];
  readonly models: readonly {
    readonly name: string;
    readonly version: number;
    readonly metrics: Readonly<Record<string, number>>;
    readonly verdict: string;
    readonly aliases: readonly string[];
  }[];
  readonly endpoints: readonly {
    readonly name: string;
    readonly environment: string;
    readonly modelVersion: number | undefined;
    readonly predictions: number;
    readonly labelled: number;
  }[];
  readonly alerts: readonly {
    readonly monitor: string;
    readonly metric: string;
    readonly value: number;
    readonly threshold: number;
    readonly at: string;
    readonly triggeredRun: string | null;
  }[];
  /** True when an alert started a training. */
  readonly retrained: boolean;
  /** For one prediction: the chain of ids up to the captured file versions and the commit. */
  readonly lineage:
    | {
        readonly prediction: string;
        readonly chain: readonly {
          readonly kind: string;
          readonly id: string;
          readonly label: string;
          readonly version?: number | undefined;
          readonly digest?: string | undefined;
        }[];
      }
    | undefined;
  readonly url: string;
  readonly seconds: number;
}

/** Reads the report from the store, through the API. */
export async function writeReport(api: ApiClient, startedMs: number): Promise<DemoReport> {
  const datasets = (await api.get<Page<DatasetSummary>>("/api/v1/datasets")).items;
  const quarantined = await Promise.all(
    datasets.map(async ({ name }) => {
      const { quarantine } = await api.get<DatasetDetail>(`/api/v1/datasets/${name}`);
      return (quarantine?.openCount ?? 0) + (quarantine?.replayedCount ?? 0) + (quarantine?.discardedCount ?? 0);
    }),
  );
  const models = (await api.get<Page<ModelSummary>>("/api/v1/models")).items;
  const versions = (
    await Promise.all(models.map(({ name }) => api.get<ModelDetail>(`/api/v1/models/${name}`)))
  ).flatMap((model) => model.versions);
  const endpoints = (await api.get<Page<EndpointSummary>>("/api/v1/endpoints")).items;
  const alerts = (await api.get<Page<Alert>>("/api/v1/alerts")).items.toReversed();
  return {
    datasets: datasets.map((dataset, index) => ({
      name: dataset.name,
      versions: dataset.latestVersion,
      rows: dataset.rowCount ?? 0,
      quarantined: quarantined[index] ?? 0,
    })),
    models: versions
      .toSorted((left, right) => left.version - right.version)
      .map(({ name, version, metrics, verdict, aliases }) => ({ name, version, metrics, verdict, aliases })),
    endpoints: endpoints.map((endpoint) => ({
      name: endpoint.name,
      environment: endpoint.environment,
      modelVersion: endpoint.modelVersion,
      predictions: endpoint.predictionCount,
      labelled: endpoint.labelledCount,
    })),
    alerts: alerts.map((alert) => ({
      monitor: alert.monitor,
      metric: alert.metric,
      value: alert.value,
      threshold: alert.threshold,
      at: new Date(alert.windowEndMs ?? alert.atMs).toISOString(),
      triggeredRun: alert.triggered[0]?.pipelineRunId ?? null,
    })),
    retrained: alerts.some(({ triggered }) => triggered.length > 0),
    lineage: await traceOnePrediction(api),
    url: api.url,
    seconds: Math.round((Date.now() - startedMs) / 100) / 10,
  };
}

async function traceOnePrediction(api: ApiClient): Promise<DemoReport["lineage"]> {
  const { items } = await api.get<Page<PredictionSummary>>(
    "/api/v1/endpoints/production/delay/predictions?labelled=yes&limit=1",
  );
  const [newest] = items;
  if (newest === undefined) return undefined;
  const prediction = await api.get<PredictionDetail>(`/api/v1/predictions/${newest.id}`);
  const files =
    prediction.lineage?.nodes.filter(
      ({ kind }) => kind === "source_file" || kind === "notebook" || kind === "commit",
    ) ?? [];
  const ids = new Set(prediction.chain.map(({ id }) => id));
  return {
    prediction: newest.id,
    chain: [...prediction.chain, ...files.filter(({ id }) => !ids.has(id))].map(
      ({ kind, id, label, version, digest }) => ({ kind, id, label, version, digest }),
    ),
  };
}

/** The report as a person reads it in half a minute. */
export function formatReport(report: DemoReport): string {
  const number = (value: number): string => value.toLocaleString("en-US");
  const shown = report.datasets.map(
    ({ name, rows, versions, quarantined }) =>
      `${name} ${number(rows)} rows, ${versions} versions${quarantined === 0 ? "" : `, ${number(quarantined)} in quarantine`}`,
  );
  const models = report.models.map(({ name, version, verdict, metrics, aliases }) => {
    const score = metrics["roc_auc"] === undefined ? "" : `, roc_auc ${metrics["roc_auc"].toFixed(4)}`;
    return `${name} ${version}: ${verdict}${score}${aliases.length === 0 ? "" : ` (${aliases.join(", ")})`}`;
  });
  const alerts = report.alerts.map(
    ({ at, monitor, metric, value, threshold, triggeredRun }) =>
      `${at.slice(0, 10)} ${monitor}: ${metric} ${value.toFixed(4)} against ${threshold.toFixed(4)}${triggeredRun === null ? "" : ` → trained again (${triggeredRun})`}`,
  );
  const chain = report.lineage?.chain ?? [];
  const sources = chain.filter(({ kind }) => kind === "source_file").length;
  return [
    "",
    "Data",
    ...shown.map((line) => `  ${line}`),
    "Models",
    ...models.map((line) => `  ${line}`),
    "Production",
    ...report.endpoints.map(
      (endpoint) =>
        `  ${endpoint.environment}/${endpoint.name}: version ${endpoint.modelVersion ?? "–"}, ${number(endpoint.predictions)} predictions, ${number(endpoint.labelled)} labelled`,
    ),
    "Alerts",
    ...(alerts.length === 0 ? ["  none"] : alerts.map((line) => `  ${line}`)),
    "One prediction, traced back",
    `  ${chain
      .filter(({ kind }) => kind !== "source_file")
      .map(({ kind, label, version }) => `${kind} ${label}${version === undefined ? "" : ` ${version}`}`)
      .join(" ← ")} ← ${sources} captured files`,
    "",
    `${report.seconds.toFixed(0)} s`,
  ].join("\n");
}
