import type {
  Acknowledged,
  EndpointDetail,
  EndpointParams,
  EndpointPeriod,
  EndpointSummary,
  EndpointWindow,
  PredictionDetail,
  PredictionSummary,
  Retraining,
} from "#api";
import type { Platform } from "#app";
import { isId } from "#base";
import type { ByHand } from "#delivery";
import { tracePrediction } from "#governance";
import { BINARY_METRICS, readModelContent, REGRESSION_METRICS } from "#models";
import {
  getAssetVersion,
  listVersionHeads,
  listVersionsOfRuns,
  type ReadTransaction,
  type VersionHead,
} from "#metadata-store";
import {
  countAlerts,
  countOpenAlerts,
  countMonitorWindows,
  listAlerts,
  listMonitors,
  listWindows,
  type MonitorScore,
  type MonitorWindow,
  type Alert as StoredAlert,
} from "#metadata-store/monitoring";
import { findPipelineRuns } from "#metadata-store/engine";
import {
  countTrials,
  type Endpoint,
  type EndpointHistoryEntry,
  type EndpointKey,
  getEndpoint,
  listEndpointHistory,
  listEndpoints,
  listPredictionTotals,
  type Prediction,
  type PredictionTotal,
} from "#metadata-store/serving";
import { toAlerts } from "../alerts/alert-handlers.ts";
import { toMonitors } from "../alerts/monitor-view.ts";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { parseCursor, toPage } from "../api/paging.ts";
import { resourceMissing } from "../errors.ts";
import { toGraph } from "../lineage/lineage-handlers.ts";
import { toObjective } from "./objective-view.ts";
import { windowSize } from "./window-size.ts";

const SHOWN_WINDOWS = 200;
const SHOWN_ALERTS = 100;
const CHANGES_A_PAGE = 1000;
const DRIFT = /^(drift|prediction_drift)/;
/** What is drawn as performance; everything else of a window is in its report. */
const PERFORMANCE: ReadonlySet<string> = new Set([...BINARY_METRICS, ...REGRESSION_METRICS, "prediction_mean"]);

/** Endpoints, what monitoring says of them, and single predictions. */
export function createEndpointHandlers(
  platform: Platform,
): Pick<
  ApiHandlers,
  "listEndpoints" | "getEndpoint" | "promoteTrial" | "abortTrial" | "listPredictions" | "getPrediction"
> {
  const { store, project } = platform;
  const endTrial = async (action: "promote" | "abort", params: EndpointParams, by: ByHand): Promise<Acknowledged> => {
    await platform.rollouts[action]({ project, environment: params.environment, endpoint: params.name }, by);
    await platform.delivery.settle(project);
    return { id: `${params.environment}/${params.name}` };
  };
  return {
    ...createPredictionHandlers(platform),
    promoteTrial: ({ params, body, identity }) => endTrial("promote", params, { ...body, actor: identity.name }),
    abortTrial: ({ params, body, identity }) => endTrial("abort", params, { ...body, actor: identity.name }),
    listEndpoints: ({ query }) =>
      store.read(async (transaction) => {
        const after = parseCursor(query.after, /^([^/]+)\/([^/]+)$/) as [string, string] | undefined;
        const found = await listEndpoints(transaction, {
          project,
          limit: query.limit + 1,
          ...(after === undefined ? {} : { after }),
        });
        const shown = await summarizeEndpoints(transaction, found, await readTraffic(transaction, { project }));
        return toPage(shown, {
          limit: query.limit,
          cursor: ({ environment, name }) => `${environment}/${name}`,
          show: (endpoint) => endpoint,
        });
      }),

    getEndpoint: async ({ params }) => {
      const key = { project, environment: params.environment, endpoint: params.name };
      const trials = await platform.rollouts.report(key);
      const objectives = (await platform.monitoring.objectives(key)).map(toObjective);
      // An endpoint whose model cannot be loaded is shown all the same.
      const example = await platform.serving.endpoints.example(key).catch(() => undefined);
      return store.read(async (transaction) => {
        const endpoint = await getEndpoint(transaction, key);
        if (endpoint === undefined)
          throw resourceMissing({ kind: "endpoint", key: `${params.environment}/${params.name}` });
        const alerts = await listAlerts(transaction, {
          project,
          environment: params.environment,
          endpoint: params.name,
          limit: SHOWN_ALERTS,
        });
        const monitors = await listMonitors(transaction, {
          project,
          environment: params.environment,
          endpoint: params.name,
        });
        const size = windowSize(monitors.map(({ declaration }) => declaration));
        const windows = await listWindows(transaction, { ...key, size, limit: SHOWN_WINDOWS });
        const traffic = await readTraffic(transaction, key);
        const [summary] = await summarizeEndpoints(transaction, [endpoint], traffic);
        const versions = await listVersionHeads(
          transaction,
          windows.flatMap((window) => Object.keys(window.versions)),
        );
        return {
          ...(summary as EndpointSummary),
          runtime: await runtimeOf(transaction, endpoint),
          periods: await periodsOf(transaction, key, traffic),
          windows: windows.map((window) => toWindow(window, versions)),
          monitors: await toMonitors(transaction, monitors, { size, windows }),
          windowCount:
            windows.length < SHOWN_WINDOWS ? windows.length : await countMonitorWindows(transaction, { ...key, size }),
          objectives,
          alerts: await toAlerts(transaction, alerts),
          alertCount: alerts.length < SHOWN_ALERTS ? alerts.length : await countAlerts(transaction, key),
          trialCount: await countTrials(transaction, key),
          retrainings: await retrainingsOf(transaction, alerts),
          exampleRequest: example?.row,
          exampleAtMs: example?.atMs,
          trials,
        } satisfies EndpointDetail;
      });
    },
  };
}

async function runtimeOf(transaction: ReadTransaction, { modelVersionId }: Endpoint): Promise<string | undefined> {
  const version = await getAssetVersion(transaction, { id: modelVersionId });
  return version === undefined ? undefined : readModelContent(version).model.runtime;
}

type PredictionHandlers = Pick<ApiHandlers, "listPredictions" | "getPrediction">;

function createPredictionHandlers({ store, predictions, project }: Platform): PredictionHandlers {
  return {
    listPredictions: async ({ params, query }) => {
      const key = { project, environment: params.environment, endpoint: params.name };
      const [atText, id] = parseCursor(query.after, /^(-?\d{1,16})~([0-9A-Z]{26})$/) ?? [];
      const modelVersionId = await store.read(async (transaction) => {
        const { modelVersion } = query;
        const endpoint = modelVersion === undefined ? undefined : await getEndpoint(transaction, key);
        if (modelVersion === undefined || endpoint === undefined) return undefined;
        const asset = (await getAssetVersion(transaction, { id: endpoint.modelVersionId }))?.asset;
        if (asset === undefined) return undefined;
        return (await getAssetVersion(transaction, { project, asset, version: modelVersion }))?.id;
      });
      const found = await predictions.list({
        ...key,
        modelVersionId,
        fromMs: query.fromMs,
        toMs: query.toMs,
        labelled: query.labelled === undefined ? undefined : query.labelled === "yes",
        before: atText === undefined || id === undefined ? undefined : [Number(atText), id],
        limit: query.limit + 1,
      });
      const heads = await store.read((transaction) =>
        listVersionHeads(
          transaction,
          found.map((prediction) => prediction.modelVersionId),
        ),
      );
      const shown = found.map((prediction) => toPrediction(prediction, heads));
      return toPage(shown, {
        limit: query.limit,
        cursor: (prediction) => `${prediction.atMs}~${prediction.id}`,
        show: (prediction) => prediction,
      });
    },

    getPrediction: async ({ params }) => {
      const prediction = isId(params.id) ? await predictions.get(params.id) : undefined;
      if (prediction === undefined || prediction.project !== project)
        throw resourceMissing({ kind: "prediction", key: params.id });
      const heads = await store.read((transaction) => listVersionHeads(transaction, [prediction.modelVersionId]));
      const summary = toPrediction(prediction, heads);
      const trace = await tracePrediction({ store, predictions }, prediction.id);
      return {
        ...summary,
        requestId: prediction.requestId,
        arm: prediction.arm,
        propensity: prediction.propensity,
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

/** What endpoints were asked, and the alerts that are open for them. */
export interface Traffic {
  readonly totals: Awaited<ReturnType<typeof listPredictionTotals>>;
  readonly openAlerts: Awaited<ReturnType<typeof countOpenAlerts>>;
}

/** The traffic of a project, or of one of its endpoints. */
export async function readTraffic(
  transaction: ReadTransaction,
  scope: { readonly project: string } & Partial<EndpointKey>,
): Promise<Traffic> {
  const { project } = scope;
  return {
    totals: await listPredictionTotals(transaction, scope),
    openAlerts: await countOpenAlerts(transaction, { project }),
  };
}

/** Endpoints of a project with their counts. */
export async function summarizeEndpoints(
  transaction: ReadTransaction,
  endpoints: readonly Endpoint[],
  traffic: Traffic,
): Promise<readonly EndpointSummary[]> {
  const versions = await listVersionHeads(
    transaction,
    endpoints.map(({ modelVersionId }) => modelVersionId),
  );
  const totals = Map.groupBy(traffic.totals, nameOf);
  const open = new Map(traffic.openAlerts.map((counted) => [nameOf(counted), counted.count]));
  return endpoints.map((endpoint) => {
    const version = versions.get(endpoint.modelVersionId);
    const name = nameOf({ environment: endpoint.environment, endpoint: endpoint.name });
    const own = totals.get(name) ?? [];
    return {
      environment: endpoint.environment,
      name: endpoint.name,
      state: endpoint.state === "ready" ? "ready" : "empty",
      model: version?.asset,
      modelVersion: version?.version,
      versionId: version?.id,
      deployedAtMs: endpoint.updatedAtMs,
      path: `/endpoints/${endpoint.environment}/${endpoint.name}/invocations`,
      predictionCount: own.reduce((sum, total) => sum + total.predictions, 0),
      labelledCount: own.reduce((sum, total) => sum + total.labelled, 0),
      lastPredictionAtMs:
        own.length === 0 ? undefined : own.reduce((last, total) => Math.max(last, total.lastAtMs), -Infinity),
      openAlertCount: open.get(name) ?? 0,
    };
  });
}

function nameOf({ environment, endpoint }: { readonly environment: string; readonly endpoint: string }): string {
  return JSON.stringify([environment, endpoint]);
}

/** Which version answered when: from its predictions where there are any, else from the switch itself. */
async function periodsOf(
  transaction: ReadTransaction,
  key: EndpointKey,
  traffic: Pick<Traffic, "totals">,
): Promise<readonly EndpointPeriod[]> {
  const history = (await wholeHistory(transaction, key))
    .filter(({ action }) => action !== "try" && action !== "abort" && action !== "end")
    .reverse();
  const switches = history.filter((entry, index) => entry.modelVersionId !== history[index - 1]?.modelVersionId);
  const versions = await listVersionHeads(
    transaction,
    switches.map(({ modelVersionId }) => modelVersionId),
  );
  const totals = Map.groupBy(traffic.totals, ({ modelVersionId }) => modelVersionId);
  const periods = switches.flatMap((entry): EndpointPeriod[] => {
    const version = versions.get(entry.modelVersionId);
    return version === undefined
      ? []
      : [
          {
            model: version.asset,
            modelVersion: version.version,
            versionId: version.id,
            ...spanOf(totals.get(version.id), entry.atMs),
          },
        ];
  });
  return periods.map((period, index) => (index === periods.length - 1 ? { ...period, endMs: undefined } : period));
}

async function wholeHistory(transaction: ReadTransaction, key: EndpointKey): Promise<readonly EndpointHistoryEntry[]> {
  const found: EndpointHistoryEntry[] = [];
  for (;;) {
    const before = found.at(-1)?.id;
    const page = { ...key, limit: CHANGES_A_PAGE, ...(before === undefined ? {} : { before }) };
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const entries = await listEndpointHistory(transaction, page);
    found.push(...entries);
    if (entries.length < CHANGES_A_PAGE) return found;
  }
}

function spanOf(
  totals: readonly PredictionTotal[] = [],
  switchedAtMs: number,
): Pick<EndpointPeriod, "startMs" | "endMs"> {
  if (totals.length === 0) return { startMs: switchedAtMs };
  return {
    startMs: Math.min(...totals.map(({ firstAtMs }) => firstAtMs)),
    endMs: Math.max(...totals.map(({ lastAtMs }) => lastAtMs)),
  };
}

function toWindow(window: MonitorWindow, heads: ReadonlyMap<string, VersionHead>): EndpointWindow {
  const versions = Object.keys(window.versions).map((id) => heads.get(id));
  const measured = window.scores.flatMap((score) =>
    score.value === undefined ? [] : [{ ...score, value: score.value }],
  );
  const drift = window.scores.filter(
    ({ metric, value, breached, segment }) =>
      DRIFT.test(metric) && segment === "" && (value !== undefined || breached === true),
  );
  const others = measured.filter(({ metric }) => !DRIFT.test(metric));
  return {
    startMs: window.startMs,
    endMs: window.endMs,
    predictionCount: window.predictions,
    labelledCount: window.labelled,
    modelVersions: versions.flatMap((version) => version?.version ?? []).sort((left, right) => left - right),
    performance: others
      .filter(({ metric, subject }) => subject === "" && PERFORMANCE.has(metric.replace(/^estimated_/, "")))
      .map((score) => ({
        metric: score.metric,
        value: score.value,
        baseline: score.baseline,
        threshold: score.threshold,
        segment: score.segment === "" ? undefined : score.segment,
      })),
    drift: drift.map((score) => ({
      ...driftSubject(score),
      method: (score.method as { method?: string }).method ?? score.metric,
      score: score.value,
      threshold: score.threshold,
      isDrifted: score.breached === true,
      adjusted: (score.method as { adjusted?: number }).adjusted,
      reason: (score.method as { reason?: string }).reason,
    })),
    figures: Object.fromEntries(
      others
        .filter(({ subject, segment }) => subject !== "" && segment === "")
        .map((score) => [`${score.metric}:${score.subject}`, score.value]),
    ),
  };
}

/** A share of drifted columns is no drift of its own: whoever counts columns leaves it out. */
function driftSubject({ metric, subject }: MonitorScore): Pick<EndpointWindow["drift"][number], "of" | "feature"> {
  if (metric === "drift_share") return { of: "share", feature: metric };
  return subject === "" ? { of: "prediction", feature: "prediction" } : { of: "column", feature: subject };
}

async function retrainingsOf(
  transaction: ReadTransaction,
  alerts: readonly StoredAlert[],
): Promise<readonly Retraining[]> {
  const runs = new Map(
    (
      await findPipelineRuns(
        transaction,
        alerts.flatMap(({ triggered }) => triggered),
      )
    ).map((run) => [run.id, run]),
  );
  const made = await listVersionsOfRuns(transaction, [...runs.keys()]);
  return alerts.flatMap((alert) =>
    alert.triggered.flatMap((id): Retraining[] => {
      const run = runs.get(id);
      if (run === undefined) return [];
      const version = made.find(
        (one) => one.pipelineRunId === id && one.project === alert.project && one.asset === alert.endpoint,
      );
      return [
        {
          pipelineRunId: id,
          pipeline: run.pipeline,
          status: run.status,
          atMs: run.createdAtMs,
          eventAtMs: alert.windowEndMs,
          alertId: alert.id,
          madeModelVersion: version?.version,
          blocked: run.blocked,
        },
      ];
    }),
  );
}

function toPrediction(prediction: Prediction, heads: ReadonlyMap<string, VersionHead>): PredictionSummary {
  const version = heads.get(prediction.modelVersionId);
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
