import { messageOf, newId } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  type Deployment,
  getRelease,
  insertDeployment,
  listDeployed,
  listDeployments,
  type Release,
} from "#metadata-store/delivery";
import { findStepRun } from "#metadata-store/engine";
import { environmentEmpty, rollbackUndone, stateMissing } from "./errors.ts";
import type { FinishedDeployment } from "./delivery.ts";

const PAGE = 1000;
const MOMENT = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/;

/** What of an environment goes back together. */
export interface RollbackPlan {
  readonly environment: string;
  readonly changes: readonly { readonly from: Release; readonly to: Release }[];
  /** What stays: it ran already then, or had never run before. */
  readonly stays: readonly { readonly release: Release; readonly isNew: boolean }[];
}

export interface EnvironmentRollback {
  readonly project: string;
  readonly environment: string;
  /**
   * A moment (ISO 8601), or a release: the state when it had become live. Default: the state before the pipeline run
   * that made the newest of what is live.
   */
  readonly to?: string | undefined;
  /** Why; goes into the record of each deployment. */
  readonly reason?: string | undefined;
}

/** How single deployments are made. */
export interface RollbackPorts {
  readonly store: MetadataStore;
  readonly now: () => number;
  /** @throws DELIVERY_NOT_APPROVED */
  readonly assertApproved: (release: Release) => Promise<void>;
  readonly carryOut: (deployment: Deployment, release: Release) => Promise<FinishedDeployment>;
}

/**
 * What would go back.
 *
 * @throws DELIVERY_ENVIRONMENT_EMPTY, DELIVERY_STATE_MISSING
 */
export async function planRollback(store: MetadataStore, request: EnvironmentRollback): Promise<RollbackPlan> {
  const { project, environment, to } = request;
  const live = await store.read((transaction) => listDeployed(transaction, { project, environment }));
  if (live.length === 0) throw environmentEmpty({ environment });
  const history = await readHistory(store, { project, environment });
  const isIncluded = await chooseState(store, { environment, to, live, history });
  const changes: { from: Release; to: Release }[] = [];
  const stays: { release: Release; isNew: boolean }[] = [];
  for (const { asset, releaseId } of live) {
    const then = history.find((one) => one.asset === asset && isIncluded(one));
    const from = await readRelease(store, releaseId);
    if (from === undefined) continue;
    const target = then === undefined ? undefined : await readRelease(store, then.releaseId);
    if (target === undefined || target.id === from.id) stays.push({ release: from, isNew: target === undefined });
    else changes.push({ from, to: target });
  }
  return { environment, changes, stays };
}

/**
 * Deploys what an environment ran at an earlier state, all of it or nothing: every release must be allowed back before
 * the first is deployed, they are begun in one transaction, and when one of them does not come up, the others go where
 * they were.
 *
 * @throws DELIVERY_ENVIRONMENT_EMPTY, DELIVERY_STATE_MISSING, DELIVERY_NOT_APPROVED, DELIVERY_ROLLBACK_UNDONE
 */
export async function rollBackTogether(
  request: EnvironmentRollback & { readonly actor: string },
  ports: RollbackPorts,
): Promise<RollbackPlan> {
  const plan = await planRollback(ports.store, request);
  if (plan.changes.length === 0)
    throw stateMissing({ environment: plan.environment, state: request.to ?? "before what runs now" });
  for (const { to } of plan.changes) await ports.assertApproved(to);
  const begun = await begin(
    plan.changes.map(({ to }) => to),
    request,
    ports,
  );
  const ended = await Promise.allSettled(begun.map(({ deployment, release }) => ports.carryOut(deployment, release)));
  const failed = ended.findIndex(({ status }) => status === "rejected");
  const outcome = ended[failed];
  if (outcome?.status !== "rejected") return plan;
  const done = plan.changes.filter((_change, index) => ended[index]?.status === "fulfilled");
  const undone = await begin(
    done.map(({ from }) => from),
    { ...request, reason: undefined },
    ports,
  );
  const restored = await Promise.allSettled(
    undone.map(({ deployment, release }) => ports.carryOut(deployment, release)),
  );
  const lost = undone.filter((_one, index) => restored[index]?.status === "rejected");
  throw rollbackUndone(
    {
      environment: plan.environment,
      asset: plan.changes[failed]?.to.asset ?? "",
      reason: messageOf(outcome.reason),
      lost: lost.map(({ release }) => release.asset),
    },
    outcome.reason,
  );
}

/** Whoever opens the store after a crash finds all of them, and finishes all. */
async function begin(
  releases: readonly Release[],
  { project, environment, actor, reason }: EnvironmentRollback & { readonly actor: string },
  { store, now }: RollbackPorts,
): Promise<readonly { readonly deployment: Deployment; readonly release: Release }[]> {
  const together = newId();
  return store.write(async (transaction) => {
    const begun: { deployment: Deployment; release: Release }[] = [];
    for (const release of releases) {
      const deployment = await insertDeployment(transaction, {
        id: newId(),
        project,
        environment,
        asset: release.asset,
        releaseId: release.id,
        reason: "rollback",
        comment: reason,
        idempotencyKey: `rollback:${together}:${release.asset}`,
        stepRunId: undefined,
        actor,
        startedAtMs: now(),
      });
      begun.push({ deployment, release });
    }
    return begun;
  });
}

/** Successful deployments of an environment, newest first. */
async function readHistory(
  store: MetadataStore,
  scope: { readonly project: string; readonly environment: string },
): Promise<readonly Deployment[]> {
  const found: Deployment[] = [];
  for (;;) {
    const before = found.at(-1)?.id;
    const page = await store.read((transaction) =>
      listDeployments(transaction, {
        ...scope,
        status: "succeeded",
        limit: PAGE,
        ...(before === undefined ? {} : { before }),
      }),
    );
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}

/** Which deployments had been made by the state that is meant. */
async function chooseState(
  store: MetadataStore,
  facts: {
    readonly environment: string;
    readonly to: string | undefined;
    readonly live: readonly { readonly releaseId: string }[];
    readonly history: readonly Deployment[];
  },
): Promise<(deployment: Deployment) => boolean> {
  const { environment, to, live, history } = facts;
  if (to !== undefined && MOMENT.test(to)) {
    const untilMs = Date.parse(to);
    if (Number.isNaN(untilMs)) throw stateMissing({ environment, state: to });
    return ({ endedAtMs }) => (endedAtMs ?? Infinity) <= untilMs;
  }
  // The first time that each release was deployed: a rollback brings it back, and makes nothing new.
  const first = history.filter(({ reason }) => reason === "deploy");
  if (to !== undefined) {
    const meant = first.find(({ releaseId }) => releaseId === to);
    if (meant === undefined) throw stateMissing({ environment, state: to });
    const last = newestId(await sameRun(store, meant, first));
    return ({ id }) => id <= last;
  }
  const ids = new Set(live.map(({ releaseId }) => releaseId));
  const newest = first.find(({ releaseId }) => ids.has(releaseId));
  if (newest === undefined) throw stateMissing({ environment, state: "before what runs now" });
  const run = await sameRun(store, newest, first);
  const oldest = run.reduce((least, { id }) => (id < least ? id : least), newest.id);
  return ({ id }) => id < oldest;
}

function newestId(deployments: readonly Deployment[]): string {
  return deployments.reduce((most, { id }) => (id > most ? id : most), "");
}

/** Deployments of one pipeline run are one change; one that no step made is a change of its own. */
async function sameRun(
  store: MetadataStore,
  deployment: Deployment,
  among: readonly Deployment[],
): Promise<readonly Deployment[]> {
  const runOf = async ({ stepRunId }: Deployment): Promise<string | undefined> =>
    stepRunId === undefined
      ? undefined
      : (await store.read((transaction) => findStepRun(transaction, stepRunId)))?.pipelineRunId;
  const run = await runOf(deployment);
  if (run === undefined) return [deployment];
  const found: Deployment[] = [];
  for (const one of among) if ((await runOf(one)) === run) found.push(one);
  return found;
}

function readRelease(store: MetadataStore, id: string): Promise<Release | undefined> {
  return store.read((transaction) => getRelease(transaction, { id }));
}
