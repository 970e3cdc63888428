import type { Overview, PipelineRunSummary, Station, StationCount, StationName } from "#api";
import type { Platform } from "#app";
import { isAllowed } from "#access";
import { listApprovals } from "#governance";
import {
  findLatestStepRun,
  getAssetVersion,
  getVerdict,
  listAlerts,
  listApprovalRows,
  listAssets,
  listAssetVersions,
  listEndpoints,
  listPipelineRuns,
  type PipelineRunStatus,
  type ReadTransaction,
  type StepRun,
  summarizeQuarantine,
} from "#metadata-store";
import { toAlert } from "../alerts/alert-handlers.ts";
import type { ApiHandlers } from "../api/mount-api.ts";
import { nameApprovals, pendingApprovals } from "../approvals/approval-handlers.ts";
import { summarizeEndpoint } from "../endpoints/endpoint-handlers.ts";
import { toRunSummary } from "../pipeline-runs/pipeline-run-view.ts";
import { recentReleases } from "../releases/release-handlers.ts";
import { readCodeLane } from "./code-lane.ts";
import { readFailedRuns, readParcels } from "./current-work.ts";
import { approvedSubject, liveSubjects } from "./station-subjects.ts";

/** Stations where steps work; the others follow from records. */
const WORKING: readonly StationName[] = ["capture", "transform", "features", "train", "test", "deploy"];
const ACTIVE: readonly PipelineRunStatus[] = ["running", "queued", "waiting"];
const RUNS_SHOWN = 10;
const ALERTS_LOOKED_AT = 100;
const RELEASES_SHOWN = 5;
const MOST_ASSETS = 1000;

type Counts = readonly StationCount[];

/** The home page: the cycle with its stations and their real state. */
export function createOverviewHandlers(platform: Platform): Pick<ApiHandlers, "getOverview"> {
  const { store, project } = platform;
  return {
    async getOverview({ identity }) {
      const pending = await pendingApprovals(platform, { name: identity.name, mayReview: isAllowed(identity, "approve", project) });
      const [approved] = await nameApprovals(platform, (await listApprovals(store, { project, limit: 20 })).filter(({ decision }) => decision === "approved").slice(0, 1));
      return store.read(async (transaction) => {
        const endpoints = await Promise.all((await listEndpoints(transaction, { project })).map((endpoint) => summarizeEndpoint(transaction, endpoint)));
        const openAlerts = await Promise.all((await listAlerts(transaction, { project, states: ["open"], limit: 20 })).map((alert) => toAlert(transaction, alert)));
        const alerts = await listAlerts(transaction, { project, limit: ALERTS_LOOKED_AT });
        const lastAlert = alerts.find(({ triggered }) => triggered.length > 0) ?? alerts[0];
        const releases = await recentReleases(transaction, { project, limit: RELEASES_SHOWN });
        const facts = { endpoints, openAlerts: openAlerts.length, pending, releases, approved: approvedSubject(approved?.subject) };
        const retrain = lastAlert === undefined ? undefined : await toAlert(transaction, lastAlert);
        return {
          project,
          stations: await stationsOf(transaction, platform, facts),
          code: await readCodeLane(transaction, platform, { releases, stateOf: (run) => stateOf(run, []) }),
          ...(await readParcels(transaction, platform)),
          failedRuns: await readFailedRuns(transaction, project),
          ...(retrain === undefined ? {} : { retrain: { alert: retrain, pipelineRunId: retrain.triggered[0]?.pipelineRunId } }),
          pipelineCount: platform.pipelineNames().length,
          runs: await latestRuns(transaction, project),
          openAlerts,
          pendingApprovals: pending,
          releases,
          endpoints,
        } satisfies Overview;
      });
    },
  };
}

async function latestRuns(transaction: ReadTransaction, project: string): Promise<readonly PipelineRunSummary[]> {
  const active = (await Promise.all(ACTIVE.map((status) => listPipelineRuns(transaction, { project, status, limit: RUNS_SHOWN })))).flat();
  const recent = await listPipelineRuns(transaction, { project, limit: RUNS_SHOWN });
  const chosen = [...active, ...recent.filter(({ id }) => !active.some((run) => run.id === id))].slice(0, RUNS_SHOWN);
  return Promise.all(chosen.map((run) => toRunSummary(transaction, run)));
}

interface Facts {
  readonly endpoints: Overview["endpoints"];
  readonly openAlerts: number;
  readonly pending: Overview["pendingApprovals"];
  readonly releases: Overview["releases"];
  readonly approved: ReturnType<typeof approvedSubject>;
}

async function stationsOf(transaction: ReadTransaction, platform: Platform, facts: Facts): Promise<readonly Station[]> {
  const { counts, live } = await countsOf(transaction, platform, facts);
  const byKind = await Promise.all(
    WORKING.map(async (name) => {
      const own = platform.stationedSteps().filter(({ station }) => station === name);
      const runs = await Promise.all(own.map(({ pipeline, step }) => findLatestStepRun(transaction, { project: platform.project, pipeline, step })));
      return [name, toStation(name, { stepCount: own.length, runs: runs.flatMap((run) => run ?? []), counts: counts[name] ?? [], live: live[name] ?? {} })] as const;
    }),
  );
  const stations = new Map<StationName, Station>(byKind);
  const models = countOf(counts.registry, "models");
  stations.set("registry", { name: "registry", state: models === 0 ? emptyOr(stations.get("train")) : "succeeded", ...live.registry, counts: counts.registry ?? [] });
  stations.set("approve", { name: "approve", ...live.approve, state: facts.pending.length > 0 ? "waiting" : countOf(counts.approve, "approved") > 0 ? "succeeded" : emptyOr(stations.get("deploy")), counts: counts.approve ?? [] });
  const [endpoint] = facts.endpoints.filter(({ environment }) => environment === "production");
  const production: Station["state"] = facts.endpoints.length === 0 ? emptyOr(stations.get("deploy")) : facts.openAlerts > 0 ? "attention" : "succeeded";
  stations.set("production", { name: "production", state: production, ...live.production, lastAtMs: endpoint?.lastPredictionAtMs, counts: counts.production ?? [] });
  const order: readonly StationName[] = ["capture", "transform", "features", "train", "test", "registry", "approve", "deploy", "production"];
  return order.map((name) => stations.get(name) ?? { name, state: "empty", counts: [] });
}

function emptyOr(station: Station | undefined): Station["state"] {
  return station === undefined || station.state === "empty" ? "empty" : "idle";
}

function toStation(name: StationName, facts: { readonly stepCount: number; readonly runs: readonly StepRun[]; readonly counts: Counts; readonly live: Partial<Station> }): Station {
  const latest = facts.runs.toSorted((left, right) => (left.id < right.id ? 1 : -1));
  const [newest] = latest;
  if (newest === undefined) return { name, state: facts.stepCount === 0 ? "empty" : "idle", ...facts.live, counts: facts.counts };
  const shown = latest.find(({ status }) => status === "running") ?? latest.find(({ status }) => status === "waiting") ?? latest.find(({ status }) => status === "failed") ?? newest;
  const state = stateOf(shown, facts.counts);
  const isNow = state === "running" || state === "waiting" || state === "failed" || facts.live.subject === undefined;
  return {
    name,
    state,
    ...(isNow ? { subject: shown.step } : facts.live),
    pipeline: shown.pipeline,
    step: shown.step,
    stepRunId: shown.id,
    pipelineRunId: shown.pipelineRunId,
    lastAtMs: shown.finishedAtMs ?? shown.startedAtMs ?? shown.queuedAtMs,
    counts: facts.counts,
  };
}

function stateOf(run: StepRun, counts: Counts): Station["state"] {
  switch (run.status) {
    case "running":
    case "queued":
      return "running";
    case "waiting":
      return "waiting";
    case "failed":
      return "failed";
    case "succeeded":
      return countOf(counts, "refused") > 0 && countOf(counts, "passed") === 0 ? "attention" : "succeeded";
    case "pending":
    case "skipped":
    case "cancelled":
      return "idle";
  }
}

function countOf(counts: Counts | undefined, name: StationCount["name"]): number {
  return counts?.find((count) => count.name === name)?.value ?? 0;
}

async function countsOf(transaction: ReadTransaction, platform: Platform, facts: Facts): Promise<{ readonly counts: Partial<Record<StationName, Counts>>; readonly live: Partial<Record<StationName, Partial<Station>>> }> {
  const { project } = platform;
  const data = await listAssets(transaction, { project, kind: "data", limit: MOST_ASSETS });
  const captured = new Set((platform.stepsByKind().get("capture") ?? []).map(({ step }) => step));
  const joined = new Set((platform.stepsByKind().get("join") ?? []).map(({ step }) => step));
  const sources = data.filter(({ asset }) => captured.has(asset));
  const transformed = data.filter(({ asset }) => !captured.has(asset) && !joined.has(asset));
  const models = await listAssets(transaction, { project, kind: "model", limit: MOST_ASSETS });
  const versions = (await Promise.all(models.map(({ asset }) => listAssetVersions(transaction, { project, asset, limit: 100 })))).flat();
  const allVerdicts = await Promise.all(versions.map(({ id }) => getVerdict(transaction, id)));
  const verdicts = allVerdicts.flatMap((verdict) => verdict ?? []);
  const approvals = await listApprovalRows(transaction, { project, standing: true, limit: 1000 });
  const quarantined = (await summarizeQuarantine(transaction, { project })).reduce((sum, { held }) => sum + held, 0);
  const sum = (values: readonly (number | undefined)[]): number => values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const answering = facts.endpoints.find(({ environment }) => environment === "production");
  const judged = versions.filter((_, index) => allVerdicts[index] !== undefined).toSorted((left, right) => right.madeAtMs - left.madeAtMs)[0];
  const live = liveSubjects({
    captured: sources, transformed, joined: data.filter(({ asset }) => joined.has(asset)), models: versions, judged,
    answering: answering?.versionId === undefined ? undefined : await getAssetVersion(transaction, { id: answering.versionId }),
    endpoint: answering, pending: facts.pending, approved: facts.approved, releases: facts.releases,
  });
  const counts: Partial<Record<StationName, Counts>> = {
    capture: [
      { name: "datasets", value: sources.length },
      { name: "versions", value: sum(sources.map(({ version }) => version)) },
      { name: "rows", value: sum(sources.map(({ rowCount }) => rowCount)) },
      { name: "quarantined", value: quarantined },
    ],
    transform: [{ name: "datasets", value: transformed.length }, { name: "rows", value: sum(transformed.map(({ rowCount }) => rowCount)) }],
    features: [{ name: "training_sets", value: sum(data.filter(({ asset }) => joined.has(asset)).map(({ version }) => version)) }],
    train: [{ name: "model_versions", value: versions.length }],
    test: [{ name: "passed", value: verdicts.filter(({ passed }) => passed).length }, { name: "refused", value: verdicts.filter(({ passed }) => !passed).length }],
    registry: [{ name: "models", value: models.length }, { name: "model_versions", value: versions.length }],
    approve: [{ name: "pending", value: facts.pending.length }, { name: "approved", value: approvals.filter(({ decision }) => decision === "approved").length }],
    deploy: [{ name: "environments", value: platform.config.environments.length }, { name: "releases", value: facts.releases.length }],
    production: [
      { name: "endpoints", value: facts.endpoints.length },
      { name: "predictions", value: sum(facts.endpoints.map(({ predictionCount }) => predictionCount)) },
      { name: "labelled", value: sum(facts.endpoints.map(({ labelledCount }) => labelledCount)) },
      { name: "alerts", value: facts.openAlerts },
    ],
  };
  return { counts, live };
}
