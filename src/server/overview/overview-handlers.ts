import type { Overview, PipelineRunSummary, Station, StationCount, StationName, StoreDamage } from "#api";
import type { Platform } from "#app";
import { isAllowed } from "#access";
import { listApprovals } from "#governance";
import { listVersionHeads, type ReadTransaction, sumAssets, type VersionHead } from "#metadata-store";
import { summarizeQuarantine } from "#metadata-store/data";
import { countReleases } from "#metadata-store/delivery";
import { countApprovalRequests, countApprovals, countVerdicts } from "#metadata-store/governance";
import { listAlerts } from "#metadata-store/monitoring";
import {
  findLatestStepRuns,
  type LatestStepRun,
  listPipelineRuns,
  type PipelineRunStatus,
} from "#metadata-store/engine";
import { countEndpoints, listEndpoints } from "#metadata-store/serving";
import { findLastVerification } from "#upkeep";
import { toAlerts } from "../alerts/alert-handlers.ts";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { nameApprovals, pendingApprovals } from "../approvals/approval-handlers.ts";
import { readTraffic, summarizeEndpoints, type Traffic } from "../endpoints/endpoint-handlers.ts";
import { toRunSummaries } from "../pipeline-runs/pipeline-run-view.ts";
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
const ENDPOINTS_SHOWN = 1000;
const ALERTS_SHOWN = 20;
const DAMAGES_SHOWN = 3;
/** What `listPendingApprovals` answers at most. */
const PENDING_READ = 100;

type Counts = readonly StationCount[];

/** The home page: the cycle with its stations and their real state. */
export function createOverviewHandlers(platform: Platform): Pick<ApiHandlers, "getOverview"> {
  const { store, project } = platform;
  return {
    async getOverview({ identity }) {
      const pending = await pendingApprovals(platform, {
        name: identity.name,
        mayReview: isAllowed(identity, "approve", { project }),
      });
      const [approved] = await nameApprovals(
        platform,
        (await listApprovals(store, { project, limit: 20 }))
          .filter(({ decision }) => decision === "approved")
          .slice(0, 1),
      );
      const damage = await readDamage(platform);
      return store.read(async (transaction) => {
        const traffic = await readTraffic(transaction, { project });
        const endpoints = await summarizeEndpoints(
          transaction,
          await listEndpoints(transaction, { project, limit: ENDPOINTS_SHOWN }),
          traffic,
        );
        const openAlerts = await toAlerts(
          transaction,
          await listAlerts(transaction, { project, states: ["open"], limit: ALERTS_SHOWN }),
        );
        const alerts = await listAlerts(transaction, { project, limit: ALERTS_LOOKED_AT });
        const lastAlert = alerts.find(({ triggered }) => triggered.length > 0) ?? alerts[0];
        const releases = await recentReleases(transaction, { project, limit: RELEASES_SHOWN });
        const facts = {
          ...(await countFacts(transaction, project, { endpoints, pending, traffic })),
          endpoints,
          pending,
          releases,
          approved: approvedSubject(approved?.subject),
        };
        const [retrain] = await toAlerts(transaction, lastAlert === undefined ? [] : [lastAlert]);
        const { abandoned, ...work } = await readParcels(transaction, platform);
        return {
          project,
          stations: await stationsOf(transaction, platform, { ...facts, abandoned }),
          code: await readCodeLane(transaction, platform, { releases, stateOf: (run) => stateOf(run, [], abandoned) }),
          ...work,
          failedRuns: await readFailedRuns(transaction, project),
          ...(retrain === undefined
            ? {}
            : { retrain: { alert: retrain, pipelineRunId: retrain.triggered[0]?.pipelineRunId } }),
          pipelineCount: platform.pipelineNames().length,
          problems: platform
            .projectProblems()
            .map(({ file, line, column, message, hint }) => ({ file, line, column, message, hint })),
          ...(damage === undefined ? {} : { damage }),
          runs: await latestRuns(transaction, project),
          openAlerts,
          openAlertCount: facts.openAlerts,
          pendingApprovals: pending,
          pendingApprovalCount: facts.pendingCount,
          releases,
          endpoints,
          endpointCount: facts.endpointCount,
        } satisfies Overview;
      });
    },
  };
}

async function readDamage({ store }: Platform): Promise<StoreDamage | undefined> {
  const last = await findLastVerification(store);
  if (last === undefined || last.damaged === 0) return undefined;
  const files = last.damages.slice(0, DAMAGES_SHOWN).map(({ file, problem }) => ({ file, problem }));
  return { atMs: last.atMs, count: last.damaged, files };
}

async function latestRuns(transaction: ReadTransaction, project: string): Promise<readonly PipelineRunSummary[]> {
  const found = await listPipelineRuns(transaction, { project, status: ACTIVE, limit: RUNS_SHOWN });
  const active = found.toSorted((left, right) => ACTIVE.indexOf(left.status) - ACTIVE.indexOf(right.status));
  const recent = await listPipelineRuns(transaction, { project, limit: RUNS_SHOWN });
  const chosen = [...active, ...recent.filter(({ id }) => !active.some((run) => run.id === id))].slice(0, RUNS_SHOWN);
  return toRunSummaries(transaction, chosen);
}

/** Exact numbers, however much of it is shown. */
interface ExactCounts {
  readonly endpointCount: number;
  readonly predictions: number;
  readonly labelled: number;
  readonly openAlerts: number;
  readonly pendingCount: number;
  readonly releaseCount: number;
}

async function countFacts(
  transaction: ReadTransaction,
  project: string,
  shown: Pick<Overview, "endpoints"> & { readonly pending: Overview["pendingApprovals"]; readonly traffic: Traffic },
): Promise<ExactCounts> {
  const { totals, openAlerts } = shown.traffic;
  return {
    endpointCount:
      shown.endpoints.length < ENDPOINTS_SHOWN ? shown.endpoints.length : await countEndpoints(transaction, project),
    predictions: totals.reduce((sum, total) => sum + total.predictions, 0),
    labelled: totals.reduce((sum, total) => sum + total.labelled, 0),
    openAlerts: openAlerts.reduce((sum, { count }) => sum + count, 0),
    pendingCount:
      shown.pending.length < PENDING_READ ? shown.pending.length : await countApprovalRequests(transaction, project),
    releaseCount: await countReleases(transaction, project),
  };
}

interface Facts extends ExactCounts {
  readonly endpoints: Overview["endpoints"];
  readonly pending: Overview["pendingApprovals"];
  readonly releases: Overview["releases"];
  readonly approved: ReturnType<typeof approvedSubject>;
  /** Runs whose engine is gone. */
  readonly abandoned: ReadonlySet<string>;
}

async function stationsOf(transaction: ReadTransaction, platform: Platform, facts: Facts): Promise<readonly Station[]> {
  const { counts, live } = await countsOf(transaction, platform, facts);
  const working = platform.stationedSteps().filter(({ station }) => (WORKING as readonly string[]).includes(station));
  const latest = new Map(
    (await findLatestStepRuns(transaction, { project: platform.project, steps: working })).map((run) => [
      JSON.stringify([run.pipeline, run.step]),
      run,
    ]),
  );
  const byKind = WORKING.map((name) => {
    const own = working.filter(({ station }) => station === name);
    const runs = own.flatMap(({ pipeline, step }) => latest.get(JSON.stringify([pipeline, step])) ?? []);
    return [
      name,
      toStation(name, {
        stepCount: own.length,
        runs,
        counts: counts[name] ?? [],
        live: live[name] ?? {},
        abandoned: facts.abandoned,
      }),
    ] as const;
  });
  const stations = new Map<StationName, Station>(byKind);
  const models = countOf(counts.registry, "models");
  stations.set("registry", {
    name: "registry",
    state: models === 0 ? emptyOr(stations.get("train")) : "succeeded",
    ...live.registry,
    counts: counts.registry ?? [],
  });
  stations.set("approve", {
    name: "approve",
    ...live.approve,
    state:
      facts.pending.length > 0
        ? "waiting"
        : countOf(counts.approve, "approved") > 0
          ? "succeeded"
          : emptyOr(stations.get("deploy")),
    counts: counts.approve ?? [],
  });
  const [endpoint] = facts.endpoints.filter(({ environment }) => environment === "production");
  const production: Station["state"] =
    facts.endpoints.length === 0 ? emptyOr(stations.get("deploy")) : facts.openAlerts > 0 ? "attention" : "succeeded";
  stations.set("production", {
    name: "production",
    state: production,
    ...live.production,
    lastAtMs: endpoint?.lastPredictionAtMs,
    counts: counts.production ?? [],
  });
  const order: readonly StationName[] = [
    "capture",
    "transform",
    "features",
    "train",
    "test",
    "registry",
    "approve",
    "deploy",
    "production",
  ];
  return order.map((name) => stations.get(name) ?? { name, state: "empty", counts: [] });
}

function emptyOr(station: Station | undefined): Station["state"] {
  return station === undefined || station.state === "empty" ? "empty" : "idle";
}

function toStation(
  name: StationName,
  facts: {
    readonly stepCount: number;
    readonly runs: readonly LatestStepRun[];
    readonly counts: Counts;
    readonly live: Partial<Station>;
    readonly abandoned: Facts["abandoned"];
  },
): Station {
  const latest = facts.runs.toSorted((left, right) => (left.id < right.id ? 1 : -1));
  const [newest] = latest;
  if (newest === undefined)
    return { name, state: facts.stepCount === 0 ? "empty" : "idle", ...facts.live, counts: facts.counts };
  const shown =
    latest.find(({ status }) => status === "running") ??
    latest.find(({ status }) => status === "waiting") ??
    latest.find(({ status }) => status === "failed") ??
    newest;
  const state = stateOf(shown, facts.counts, facts.abandoned);
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

function stateOf(
  run: Pick<LatestStepRun, "status" | "pipelineRunId">,
  counts: Counts,
  abandoned: Facts["abandoned"],
): Station["state"] {
  if (abandoned.has(run.pipelineRunId) && run.status === "running") return "attention";
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

async function countsOf(
  transaction: ReadTransaction,
  platform: Platform,
  facts: Facts,
): Promise<{
  readonly counts: Partial<Record<StationName, Counts>>;
  readonly live: Partial<Record<StationName, Partial<Station>>>;
}> {
  const { project } = platform;
  const made = (kind: string): string[] => (platform.stepsByKind().get(kind) ?? []).map(({ step }) => step);
  const captured = await sumAssets(transaction, { project, kind: "data", names: made("capture") });
  const joined = await sumAssets(transaction, { project, kind: "data", names: made("join") });
  const transformed = await sumAssets(transaction, {
    project,
    kind: "data",
    except: [...made("capture"), ...made("join")],
  });
  const models = await sumAssets(transaction, { project, kind: "model" });
  const verdicts = await countVerdicts(transaction, project);
  const quarantined = (await summarizeQuarantine(transaction, { project })).reduce((sum, { held }) => sum + held, 0);
  const answering = facts.endpoints.find(({ environment }) => environment === "production");
  const newest = [
    captured.newestId,
    joined.newestId,
    transformed.newestId,
    models.newestId,
    verdicts.newestVersionId,
    answering?.versionId,
  ];
  const heads = await listVersionHeads(
    transaction,
    newest.flatMap((id) => id ?? []),
  );
  const headOf = (id: string | undefined): VersionHead | undefined => (id === undefined ? undefined : heads.get(id));
  const live = liveSubjects({
    captured: headOf(captured.newestId),
    transformed: headOf(transformed.newestId),
    joined: headOf(joined.newestId),
    model: headOf(models.newestId),
    judged: headOf(verdicts.newestVersionId),
    answering: headOf(answering?.versionId),
    endpoint: answering,
    pending: facts.pending,
    approved: facts.approved,
    releases: facts.releases,
  });
  const counts: Partial<Record<StationName, Counts>> = {
    capture: [
      { name: "datasets", value: captured.assets },
      { name: "versions", value: captured.versions },
      { name: "rows", value: captured.rows },
      { name: "quarantined", value: quarantined },
    ],
    transform: [
      { name: "datasets", value: transformed.assets },
      { name: "rows", value: transformed.rows },
    ],
    features: [{ name: "training_sets", value: joined.versions }],
    train: [{ name: "model_versions", value: models.versions }],
    test: [
      { name: "passed", value: verdicts.passed },
      { name: "refused", value: verdicts.refused },
    ],
    registry: [
      { name: "models", value: models.assets },
      { name: "model_versions", value: models.versions },
    ],
    approve: [
      { name: "pending", value: facts.pendingCount },
      { name: "approved", value: await countApprovals(transaction, project) },
    ],
    deploy: [
      { name: "environments", value: platform.config.environments.length },
      { name: "releases", value: facts.releaseCount },
    ],
    production: [
      { name: "endpoints", value: facts.endpointCount },
      { name: "predictions", value: facts.predictions },
      { name: "labelled", value: facts.labelled },
      { name: "alerts", value: facts.openAlerts },
    ],
  };
  return { counts, live };
}
