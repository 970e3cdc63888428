import { type Clock, type Log, messageOf } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { getRelease, listDeployed } from "#metadata-store/delivery";
import { type Environment, findEnvironment } from "../environment.ts";
import { notApproved, nothingTried, rolloutChanged } from "../errors.ts";
import type { ApprovalCheck, ApprovalDecision } from "../ports.ts";
import { settingsAsJson, settingsOf } from "../release-settings.ts";
import { explainVerdict } from "./explain-verdict.ts";
import type { CandidateWatch, EndpointPlace, OpenTrial, RolloutTarget } from "./ports.ts";
import { reportTrial, type TrialReport } from "./trial-report.ts";
import { atShare, nextPercent, type TrialPlan } from "./trial-plan.ts";
import { moveTrial } from "./trial-state.ts";
import { judgeTrial, type TrialVerdict } from "./verdict.ts";

export interface RolloutsOptions {
  readonly store: MetadataStore;
  readonly target: RolloutTarget;
  readonly environments: readonly Environment[];
  readonly approvals: ApprovalCheck;
  readonly clock: Clock;
  readonly log: Log;
  /** Without it, no alert ends a trial. */
  readonly watch?: CandidateWatch;
}

/** Trials of versions beside those that answer: judged by both arms' records, and ended by hand. */
export interface Rollouts {
  /**
   * Judges every trial and carries out what its verdict says. Call it every few seconds. Idempotent, also with several
   * processes: the first to change an endpoint wins, the others see that it was changed.
   *
   * @returns how many trials ended
   */
  settle(): Promise<number>;
  /** The same for one endpoint, if it has a trial. */
  settleOne(place: EndpointPlace): Promise<boolean>;
  /** Trials of an endpoint, newest first, with both arms side by side; an open one as it stands now. */
  report(place: EndpointPlace): Promise<readonly TrialReport[]>;
  /**
   * Lets the candidate take over now, whatever its verdict. The environment's rules hold.
   *
   * @throws DELIVERY_NOTHING_TRIED, DELIVERY_NOT_APPROVED, DELIVERY_ROLLOUT_CHANGED
   */
  promote(place: EndpointPlace, by: ByHand): Promise<void>;
  /** Takes the candidate back. @throws DELIVERY_NOTHING_TRIED, DELIVERY_ROLLOUT_CHANGED */
  abort(place: EndpointPlace, by: ByHand): Promise<void>;
}

/** Who ends a trial, and why. */
export interface ByHand {
  readonly actor: string;
  readonly reason?: string | undefined;
}

export function createRollouts(options: RolloutsOptions): Rollouts {
  const { target, log } = options;

  async function settle(trial: OpenTrial): Promise<boolean> {
    const verdict = await keepRules(trial, await judge(trial, options), options);
    if (verdict.action === "wait") return false;
    const done = await carryOut(trial, verdict, { actor: "engine" }, options);
    if (done) {
      const { environment, endpoint } = trial.place;
      log.info(SAID[verdict.action], { environment, endpoint, reason: explainVerdict(verdict) });
    }
    return done && verdict.action !== "advance";
  }

  async function endByHand(place: EndpointPlace, action: "promote" | "abort", by: ByHand): Promise<void> {
    const trial = await target.findOpen(place);
    if (trial === undefined) throw await refuseUntried(place, target);
    const judged = await judge(trial, options);
    const verdict: TrialVerdict = { ...judged, action, reason: "by_hand", note: noteOf(by) };
    if (action === "promote") {
      const { version, closed } = await askRules(trial, by.actor, options);
      if (version !== undefined && closed !== undefined)
        throw notApproved({
          asset: version.asset,
          version: version.version,
          environment: place.environment,
          reason: closed.gate.reason,
        });
    }
    if (!(await carryOut(trial, verdict, by, options)))
      throw rolloutChanged({ environment: place.environment, endpoint: place.endpoint });
    log.info("a trial was ended by hand", { ...place, action, actor: by.actor });
  }

  return {
    async settle() {
      let settled = 0;
      for (const trial of await target.listOpen()) {
        try {
          if (await settle(trial)) settled++;
        } catch (error) {
          log.error("a trial could not be judged", { ...trial.place, error: messageOf(error) });
        }
      }
      return settled;
    },
    async settleOne(place) {
      const trial = await target.findOpen(place);
      return trial !== undefined && (await settle(trial));
    },
    async report(place) {
      const open = await target.findOpen(place);
      const verdict = open === undefined ? undefined : await judge(open, options);
      const trials = await target.list(place);
      return Promise.all(
        trials.map((trial) => reportTrial(trial, trial.outcome === undefined ? verdict : trial.verdict, options.store)),
      );
    },
    promote: (place, by) => endByHand(place, "promote", by),
    abort: (place, by) => endByHand(place, "abort", by),
  };
}

const SAID = {
  promote: "a candidate took over",
  advance: "a candidate gets another share",
  abort: "a candidate was taken back",
  end: "a trial ended",
} as const;

function noteOf({ actor, reason }: ByHand): string {
  return reason === undefined || reason === "" ? actor : `${actor}: ${reason}`;
}

async function judge(trial: OpenTrial, { target, watch, clock }: RolloutsOptions): Promise<TrialVerdict> {
  const { plan, record, place, candidateVersionId: versionId } = trial;
  const { rollbackOnAlert, sinceMs, metric } = plan;
  return judgeTrial({
    plan,
    record,
    outcomes: metric === undefined ? undefined : await target.outcomes(trial),
    alarmed: rollbackOnAlert && (await watch?.openSince(place, sinceMs)) === true,
    broken: rollbackOnAlert ? ((await watch?.brokenBy?.(place, { versionId, sinceMs })) ?? []) : [],
    nowMs: clock.now(),
  });
}

/** A candidate that has passed waits while the environment's rules keep it out, and leaves when they always will. */
async function keepRules(trial: OpenTrial, verdict: TrialVerdict, options: RolloutsOptions): Promise<TrialVerdict> {
  if (verdict.action !== "promote") return verdict;
  const { closed } = await askRules(trial, "engine", options);
  if (closed === undefined) return verdict;
  const { refused, gate } = closed;
  return refused && !gate.key.startsWith("freeze:")
    ? { ...verdict, action: "abort", reason: "rules", note: gate.reason }
    : { ...verdict, action: "wait", reason: "not_approved", note: gate.reason };
}

interface Asked {
  readonly version?: AssetVersion;
  /** Undefined: the rules let the candidate take over. */
  readonly closed?: Extract<ApprovalDecision, { open: false }>;
}

/** What the rules of the environment say to a candidate that is to take over. */
async function askRules(
  { place, candidateVersionId }: OpenTrial,
  requestedBy: string,
  { store, approvals, environments }: RolloutsOptions,
): Promise<Asked> {
  const { project, environment } = place;
  const { version, release } = await store.read(async (transaction) => {
    const deployed = await listDeployed(transaction, { project, environment });
    const own = deployed.find(({ versionId }) => versionId === candidateVersionId);
    return {
      version: await getAssetVersion(transaction, { id: candidateVersionId }),
      release: own === undefined ? undefined : await getRelease(transaction, { id: own.releaseId }),
    };
  });
  // What no release brought here no rule was asked for.
  if (version === undefined || release === undefined) return {};
  const decision = await approvals.check({
    project,
    environment,
    rules: findEnvironment(environments, environment),
    version,
    deploy: settingsAsJson(settingsOf(release)),
    requestedBy,
  });
  return decision.open ? {} : { version, closed: decision };
}

async function carryOut(
  trial: OpenTrial,
  verdict: TrialVerdict,
  { actor }: ByHand,
  { target, clock }: RolloutsOptions,
): Promise<boolean> {
  if (verdict.action === "wait") return false;
  const { action: move } = verdict;
  moveTrial({ state: "watching", plan: trial.plan }, move);
  const atMs = clock.now();
  const plan = move === "advance" ? atNextShare(trial, verdict, atMs) : undefined;
  return target.move(trial, { move, verdict, actor, atMs, ...(plan === undefined ? {} : { plan }) });
}

function atNextShare({ plan, record }: OpenTrial, verdict: TrialVerdict, nowMs: number): TrialPlan {
  if (plan.kind === "bandit") return { ...plan, percent: verdict.percent ?? plan.percent, drawnAtMs: nowMs };
  const percent = nextPercent(plan);
  if (plan.kind !== "canary" || percent === undefined) return plan;
  return atShare(plan, { percent, requests: record.candidate.requests, nowMs });
}

async function refuseUntried({ environment, endpoint, project }: EndpointPlace, target: RolloutTarget): Promise<Error> {
  const tried = (await target.listOpen())
    .filter(({ place }) => place.project === project)
    .map(({ place }) => `${place.environment}/${place.endpoint}`);
  return nothingTried({ environment, endpoint, tried });
}
