import { type Clock, type Log, messageOf, newId, systemClock } from "#base";
import { getAssetVersion, type MetadataStore, type ReadTransaction } from "#metadata-store";
import {
  beginTrial,
  type Endpoint,
  type EndpointKey,
  type EndpointTrial,
  getEndpoint,
  getOpenTrial,
  listEndpoints,
  listTrials,
  saveEndpoint,
} from "#metadata-store/serving";
import type { Endpoints } from "./endpoints.ts";
import type { AlertWatch, TakeOverCheck } from "./ports.ts";
import { durationQuantile } from "./trial-figures.ts";
import { explainVerdict, judgeTrial, type TrialReason, type TrialVerdict } from "./trial-verdict.ts";

export interface TrialOptions {
  readonly store: MetadataStore;
  readonly endpoints: Endpoints;
  readonly log: Log;
  readonly clock?: Clock;
  readonly alerts?: AlertWatch;
  readonly takeOver?: TakeOverCheck;
}

/** What one arm of a trial did. */
export interface TrialArmReport {
  readonly arm: "stable" | "candidate";
  readonly versionId: string;
  readonly model: string;
  readonly modelVersion: number;
  readonly requests: number;
  readonly rows: number;
  readonly failures: readonly { readonly code: string; readonly count: number }[];
  /** To about 5 percent; undefined when nothing was answered. */
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
}

/** A trial as people see it. */
export interface TrialReport {
  readonly kind: "canary" | "shadow";
  /** Share of the units that the candidate answers, 0–100. */
  readonly percent: number | undefined;
  readonly startedAtMs: number;
  /** When its watch is over. */
  readonly untilMs: number;
  readonly endedAtMs: number | undefined;
  readonly outcome: EndpointTrial["outcome"];
  readonly reason: TrialReason | "replaced";
  /** The reason as a sentence. */
  readonly explanation: string;
  readonly minRequests: number;
  readonly arms: readonly TrialArmReport[];
  readonly comparison:
    | { readonly rows: number; readonly meanDifference: number; readonly agreedShare: number }
    | undefined;
}

type Tried = Endpoint & {
  readonly strategy: Exclude<Endpoint["strategy"], { kind: "direct" }>;
  readonly candidateVersionId: string;
};

/** Judges every trial. @returns how many ended */
export async function settleTrials(options: TrialOptions): Promise<number> {
  const deployed = await options.store.read((transaction) => listEndpoints(transaction, { limit: 1000 }));
  let settled = 0;
  for (const endpoint of deployed) {
    try {
      if (isTried(endpoint) && (await settleOne(options, endpoint))) settled++;
    } catch (error) {
      options.log.error("a trial could not be judged", {
        environment: endpoint.environment,
        endpoint: endpoint.name,
        error: messageOf(error),
      });
    }
  }
  return settled;
}

/** Judges the trial of one endpoint, if it has one. */
export async function settleTrial(options: TrialOptions, key: EndpointKey): Promise<void> {
  const endpoint = await options.store.read((transaction) => getEndpoint(transaction, key));
  if (endpoint !== undefined && isTried(endpoint)) await settleOne(options, endpoint);
}

function isTried(endpoint: Endpoint): endpoint is Tried {
  return (
    endpoint.state !== "stopped" && endpoint.strategy.kind !== "direct" && endpoint.candidateVersionId !== undefined
  );
}

async function settleOne(options: TrialOptions, endpoint: Tried): Promise<boolean> {
  const { store, endpoints, log } = options;
  const key = { project: endpoint.project, environment: endpoint.environment, endpoint: endpoint.name };
  const trial = await openTrial(store, endpoint, key);
  const verdict = await judge(options, trial, key);
  if (verdict === undefined || verdict.action === "wait") return false;
  const ended = await endTrial(store, endpoint, { verdict, atMs: (options.clock ?? systemClock).now() });
  await endpoints.refresh(key);
  if (ended)
    log.info(verdict.action === "promote" ? "a candidate took over" : "a trial ended", {
      environment: key.environment,
      endpoint: key.endpoint,
      reason: explainVerdict(verdict),
    });
  return ended;
}

/** The record of a trial; one that began before there were records gets its own now. */
async function openTrial(store: MetadataStore, endpoint: Tried, key: EndpointKey): Promise<EndpointTrial | undefined> {
  const open = await store.read((transaction) => getOpenTrial(transaction, key));
  if (open !== undefined) return open;
  return store.write(async (transaction) => {
    const current = await getEndpoint(transaction, key);
    if (current?.generation !== endpoint.generation || (await getOpenTrial(transaction, key)) !== undefined)
      return getOpenTrial(transaction, key);
    await beginTrial(transaction, {
      ...key,
      id: newId(endpoint.strategy.sinceMs),
      strategy: endpoint.strategy,
      stableVersionId: endpoint.modelVersionId,
      candidateVersionId: endpoint.candidateVersionId,
      startedAtMs: endpoint.strategy.sinceMs,
    });
    return getOpenTrial(transaction, key);
  });
}

async function judge(
  { alerts, takeOver, clock = systemClock }: TrialOptions,
  trial: EndpointTrial | undefined,
  key: EndpointKey,
): Promise<TrialVerdict | undefined> {
  if (trial === undefined || trial.strategy.kind === "direct") return undefined;
  const { strategy, figures } = trial;
  const alarmed = strategy.rollbackOnAlert && (await alerts?.openSince(key, strategy.sinceMs)) === true;
  const verdict = judgeTrial({ strategy, figures, alarmed, nowMs: clock.now() });
  const problem = verdict.action === "promote" ? await takeOver?.problem(key, trial.candidateVersionId) : undefined;
  return problem === undefined ? verdict : { ...verdict, action: "abort", reason: "rules", problem };
}

/** @returns false when somebody else changed the endpoint meanwhile */
async function endTrial(
  store: MetadataStore,
  endpoint: Tried,
  { verdict, atMs }: { readonly verdict: TrialVerdict; readonly atMs: number },
): Promise<boolean> {
  const key = { project: endpoint.project, environment: endpoint.environment, endpoint: endpoint.name };
  const isPromoted = verdict.action === "promote";
  return store.write(async (transaction) => {
    const current = await getEndpoint(transaction, key);
    if (
      current?.generation !== endpoint.generation ||
      current.candidateVersionId === undefined ||
      verdict.action === "wait"
    )
      return false;
    const { changed } = await saveEndpoint(transaction, {
      ...key,
      action: verdict.action,
      modelVersionId: isPromoted ? current.candidateVersionId : current.modelVersionId,
      strategy: { kind: "direct" },
      actor: "engine",
      atMs,
      operationId: `settle:${endpoint.generation}:${key.project}/${key.environment}/${key.endpoint}`,
      reason: verdict,
    });
    return changed;
  });
}

const SHOWN_TRIALS = 10;

/** The trials of an endpoint, newest first. */
export async function reportTrials(options: TrialOptions, key: EndpointKey): Promise<readonly TrialReport[]> {
  const trials = await options.store.read((transaction) => listTrials(transaction, { ...key, limit: SHOWN_TRIALS }));
  return Promise.all(
    trials.map(async (trial) =>
      reportTrial(
        trial,
        trial.endedAtMs === undefined ? await judge(options, trial, key) : (trial.reason as TrialVerdict | undefined),
        options.store,
      ),
    ),
  );
}

async function reportTrial(
  trial: EndpointTrial,
  verdict: TrialVerdict | undefined,
  store: MetadataStore,
): Promise<TrialReport> {
  const { strategy, figures } = trial;
  if (strategy.kind === "direct") throw new Error("a trial has a strategy of its own");
  const { comparison } = figures;
  return {
    kind: strategy.kind,
    percent: strategy.kind === "canary" ? strategy.percent : undefined,
    startedAtMs: trial.startedAtMs,
    untilMs: strategy.untilMs,
    endedAtMs: trial.endedAtMs,
    outcome: trial.outcome,
    reason: verdict?.reason ?? "replaced",
    explanation: verdict === undefined ? "the endpoint was changed meanwhile" : explainVerdict(verdict),
    minRequests: verdict?.minRequests ?? strategy.minRequests ?? 0,
    arms: await store.read((transaction) =>
      Promise.all([reportArm(transaction, trial, "stable"), reportArm(transaction, trial, "candidate")]),
    ),
    comparison:
      comparison === undefined || comparison.rows === 0
        ? undefined
        : {
            rows: comparison.rows,
            meanDifference: comparison.difference / comparison.rows,
            agreedShare: comparison.agreed / comparison.rows,
          },
  };
}

async function reportArm(
  transaction: ReadTransaction,
  trial: EndpointTrial,
  arm: TrialArmReport["arm"],
): Promise<TrialArmReport> {
  const versionId = arm === "stable" ? trial.stableVersionId : trial.candidateVersionId;
  const version = await getAssetVersion(transaction, { id: versionId });
  const figures = trial.figures[arm];
  return {
    arm,
    versionId,
    model: version?.asset ?? "",
    modelVersion: version?.version ?? 0,
    requests: figures.requests,
    rows: figures.rows,
    failures: Object.entries(figures.failures).map(([code, count]) => ({ code, count })),
    p50Ms: durationQuantile(figures, 0.5),
    p95Ms: durationQuantile(figures, 0.95),
  };
}
