import type { EndpointDetail, EndpointPeriod, EndpointSummary, EndpointWindow, PredictionDetail, PredictionSummary, Retraining } from "#api";
import type { Platform } from "#app";
import { tracePrediction } from "#governance";
import {
  countPredictions,
  type Endpoint,
  type EndpointKey,
  findPipelineRun,
  getAssetVersion,
  getEndpoint,
  getPrediction,
  getPredictionRange,
  listAlerts,
  listAssetVersions,
  listEndpointHistory,
  listEndpoints,
  listMonitors,
  listPredictions,
  listWindows,
  type MonitorWindow,
  type Prediction,
  type ReadTransaction,
  type Alert as StoredAlert,
} from "#metadata-store";
import { readModelContent } from "#models";
import { toAlert, toMonitor } from "../alerts/alert-handlers.ts";
import type { ApiHandlers } from "../api/mount-api.ts";
import { toPage } from "../api/paging.ts";
import { resourceMissing } from "../errors.ts";
import { toGraph } from "../lineage/lineage-handlers.ts";

const SHOWN_WINDOWS = 200;
const SHOWN_ALERTS = 100;
const DRIFT = /^(drift|prediction_drift)/;

/** Endpoints, what monitoring says of them, and single predictions. */
export function createEndpointHandlers(platform: Platform): Pick<ApiHandlers, "listEndpoints" | "getEndpoint" | "listPredictions" | "getPrediction"> {
  const { store, project } = platform;
  return {
    listEndpoints: ({ query }) =>
      store.read(async (transaction) => {
        const after = query.after?.split("/", 2) as [string, string] | undefined;
        const found = await listEndpoints(transaction, { project, limit: query.limit + 1, ...(after === undefined ? {} : { after }) });
        const shown = await Promise.all(found.map((endpoint) => summarizeEndpoint(transaction, endpoint)));
        return toPage(shown, { limit: query.limit, cursor: ({ environment, name }) => `${environment}/${name}`, show: (endpoint) => endpoint });
      }),

    getEndpoint: async ({ params }) => {
      const key = { project, environment: params.environment, endpoint: params.name };
      const trials = await platform.serving.target.trials(key);
      return store.read(async (transaction) => {
        const endpoint = await getEndpoint(transaction, key);
        if (endpoint === undefined) throw resourceMissing({ kind: "endpoint", key: `${params.environment}/${params.name}` });
        const alerts = await listAlerts(transaction, { project, environment: params.environment, endpoint: params.name, limit: SHOWN_ALERTS });
        const monitors = await listMonitors(transaction, { project, environment: params.environment, endpoint: params.name });
        const windows = await listWindows(transaction, { ...key, size: windowSize(monitors.map(({ declaration }) => declaration)), limit: SHOWN_WINDOWS });
        const version = await getAssetVersion(transaction, { id: endpoint.modelVersionId });
        return {
          ...(await summarizeEndpoint(transaction, endpoint)),
          periods: await periodsOf(transaction, key),
          windows: await Promise.all(windows.map((window) => toWindow(transaction, window))),
          monitors: (await Promise.all(monitors.map((monitor) => toMonitor(transaction, monitor)))).flat(),
          alerts: await Promise.all(alerts.map((alert) => toAlert(transaction, alert))),
          retrainings: (await Promise.all(alerts.map((alert) => retrainingsOf(transaction, alert)))).flat(),
          exampleRequest: version === undefined ? undefined : (readModelContent(version).model.example as EndpointDetail["exampleRequest"]),
          trials,
        } satisfies EndpointDetail;
      });
    },

    listPredictions: ({ params, query }) =>
      store.read(async (transaction) => {
        const key = { project, environment: params.environment, endpoint: params.name };
        const [atText, id] = query.after?.split("~", 2) ?? [];
        const endpoint = await getEndpoint(transaction, key);
        const asset = endpoint === undefined ? undefined : (await getAssetVersion(transaction, { id: endpoint.modelVersionId }))?.asset;
        const modelVersionId = query.modelVersion === undefined || asset === undefined ? undefined : (await getAssetVersion(transaction, { project, asset, version: query.modelVersion }))?.id;
        const found = await listPredictions(transaction, {
          ...key,
          modelVersionId,
          fromMs: query.fromMs,
          toMs: query.toMs,
          labelled: query.labelled === undefined ? undefined : query.labelled === "yes",
          before: atText === undefined || id === undefined ? undefined : [Number(atText), id],
          limit: query.limit + 1,
        });
        const shown = await Promise.all(found.map((prediction) => toPrediction(transaction, prediction)));
        return toPage(shown, { limit: query.limit, cursor: (prediction) => `${prediction.atMs}~${prediction.id}`, show: (prediction) => prediction });
      }),

    getPrediction: async ({ params }) => {
      const { prediction, summary } = await store.read(async (transaction) => {
        const found = await getPrediction(transaction, params.id);
        if (found === undefined || found.project !== project) throw resourceMissing({ kind: "prediction", key: params.id });
        return { prediction: found, summary: await toPrediction(transaction, found) };
      });
      const trace = await tracePrediction(store, prediction.id);
      return {
        ...summary,
        requestId: prediction.requestId,
        features: JSON.parse(prediction.features) as Record<string, unknown>,
        chain: trace.chain.map((node) => ({ ...node, kind: linkKind(node.kind) })),
        lineage: toGraph(trace),
      } satisfies PredictionDetail;
    },
  };
}

type LinkKind = PredictionDetail["chain"][number]["kind"];

function linkKind(kind: string): LinkKind {
  return kind === "code" || kind === "report" ? "data" : (kind as LinkKind);
}

/** An endpoint with its counts. */
export async function summarizeEndpoint(transaction: ReadTransaction, endpoint: Endpoint): Promise<EndpointSummary> {
  const key = { project: endpoint.project, environment: endpoint.environment, endpoint: endpoint.name };
  const version = await getAssetVersion(transaction, { id: endpoint.modelVersionId });
  const counts = await countPredictions(transaction, key);
  const range = await getPredictionRange(transaction, key);
  const open = await listAlerts(transaction, { ...key, states: ["open"], limit: 1000 });
  return {
    environment: endpoint.environment,
    name: endpoint.name,
    state: endpoint.state === "ready" ? "ready" : "empty",
    model: version?.asset,
    modelVersion: version?.version,
    versionId: version?.id,
    deployedAtMs: endpoint.updatedAtMs,
    path: `/endpoints/${endpoint.environment}/${endpoint.name}/invocations`,
    predictionCount: counts.predictions,
    labelledCount: counts.labelled,
    lastPredictionAtMs: range?.lastMs,
    openAlertCount: open.length,
  };
}

/** Which version answered when: from the windows' predictions where there are any, else from the switches themselves. */
async function periodsOf(transaction: ReadTransaction, key: EndpointKey): Promise<readonly EndpointPeriod[]> {
  const history = (await listEndpointHistory(transaction, { ...key, limit: 1000 })).filter(({ action }) => action !== "try" && action !== "abort" && action !== "end").reverse();
  const periods: EndpointPeriod[] = [];
  for (const entry of history) {
    if (periods.at(-1)?.versionId === entry.modelVersionId) continue;
    const version = await getAssetVersion(transaction, { id: entry.modelVersionId });
    if (version === undefined) continue;
    const [last] = await listPredictions(transaction, { ...key, modelVersionId: version.id, limit: 1 });
    const first = await firstPredictionAtMs(transaction, key, version.id);
    periods.push({ model: version.asset, modelVersion: version.version, versionId: version.id, startMs: first ?? entry.atMs, endMs: last?.atMs });
  }
  return periods.map((period, index) => (index === periods.length - 1 ? { ...period, endMs: undefined } : period));
}

async function firstPredictionAtMs(transaction: ReadTransaction, key: EndpointKey, modelVersionId: string): Promise<number | undefined> {
  const windows = await listWindows(transaction, { ...key, size: "week", limit: SHOWN_WINDOWS });
  return windows.find((window) => (window.versions[modelVersionId] ?? 0) > 0)?.startMs;
}

function windowSize(declarations: readonly object[]): string {
  return declarations.map((declaration) => (declaration as { window?: string }).window).find((size) => size !== undefined) ?? "week";
}

async function toWindow(transaction: ReadTransaction, window: MonitorWindow): Promise<EndpointWindow> {
  const versions = await Promise.all(Object.keys(window.versions).map((id) => getAssetVersion(transaction, { id })));
  const measured = window.scores.flatMap((score) => (score.value === undefined ? [] : [{ ...score, value: score.value }]));
  const drift = window.scores.filter(({ metric, value, breached }) => DRIFT.test(metric) && (value !== undefined || breached === true));
  const others = measured.filter(({ metric }) => !DRIFT.test(metric));
  return {
    startMs: window.startMs,
    endMs: window.endMs,
    predictionCount: window.predictions,
    labelledCount: window.labelled,
    modelVersions: versions.flatMap((version) => version?.version ?? []).sort((left, right) => left - right),
    performance: others
      .filter(({ subject }) => subject === "")
      .map((score) => ({ metric: score.metric, value: score.value, baseline: score.baseline, threshold: score.threshold, segment: score.segment === "" ? undefined : score.segment })),
    drift: drift.map((score) => ({
      feature: score.subject === "" ? "prediction" : score.subject,
      method: (score.method as { method?: string }).method ?? score.metric,
      score: score.value,
      threshold: score.threshold,
      isDrifted: score.breached === true,
      adjusted: (score.method as { adjusted?: number }).adjusted,
      reason: (score.method as { reason?: string }).reason,
    })),
    figures: Object.fromEntries(others.filter(({ subject, segment }) => subject !== "" && segment === "").map((score) => [`${score.metric}:${score.subject}`, score.value])),
  };
}

async function retrainingsOf(transaction: ReadTransaction, alert: StoredAlert): Promise<readonly Retraining[]> {
  const runs = await Promise.all(alert.triggered.map((id) => findPipelineRun(transaction, id)));
  return Promise.all(
    runs.flatMap((run) => (run === undefined ? [] : [run])).map(async (run) => {
      const versions = await listAssetVersions(transaction, { project: alert.project, asset: alert.endpoint, limit: 1000 });
      const made = versions.find((version) => version.pipelineRunId === run.id);
      return { pipelineRunId: run.id, pipeline: run.pipeline, status: run.status, atMs: run.createdAtMs, eventAtMs: alert.windowEndMs, alertId: alert.id, madeModelVersion: made?.version, blocked: run.blocked };
    }),
  );
}

async function toPrediction(transaction: ReadTransaction, prediction: Prediction): Promise<PredictionSummary> {
  const version = await getAssetVersion(transaction, { id: prediction.modelVersionId });
  return {
    id: prediction.id,
    environment: prediction.environment,
    endpoint: prediction.endpoint,
    atMs: prediction.atMs,
    model: version?.asset ?? "",
    modelVersion: version?.version ?? 0,
    versionId: prediction.modelVersionId,
    entityKey: prediction.entityKey,
    prediction: prediction.prediction ?? prediction.predictionText ?? "",
    label: prediction.label ?? prediction.labelText,
    labelAtMs: prediction.labelAtMs,
  };
}
