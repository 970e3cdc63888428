import { appendEvent, type WriteTransaction } from "#metadata-store";
import {
  isAnyAlertOpen,
  linkAlertsToRun,
  listRetrainingEvents,
  lockPipeline,
  RETRAINING,
  type RetrainingCause,
  type RetrainingEvent,
  type RetrainingReason,
} from "#metadata-store/engine";
import { type PipelineDefinition, RETRAINING_TRIGGERS, type RetrainingTrigger } from "#pipeline";
import { lookAtPolicy, type RetrainingStanding } from "./retraining-policy.ts";

/** Starts a run for what asked for it first; the id of the run. */
export type StartRetraining = (cause: RetrainingCause) => Promise<string | undefined>;

interface Asked {
  readonly project: string;
  readonly definition: PipelineDefinition;
  readonly atMs: number;
  readonly actor: string;
  readonly start: StartRetraining;
}

/** Whether a policy decides over runs that start so. Pure. */
export function isRuled(definition: PipelineDefinition, on: string): on is RetrainingTrigger {
  return definition.retrain !== undefined && RETRAINING_TRIGGERS.some((ruled) => ruled === on);
}

/**
 * Trains again if the policy lets it, in the transaction that asks. Else an alert waits until it does, or is closed;
 * new data wait while limits hold; a tick of a schedule is over.
 *
 * @returns id of the run
 */
export async function askRetraining(
  transaction: WriteTransaction,
  cause: RetrainingCause,
  asked: Asked,
): Promise<string | undefined> {
  const { project, definition, atMs } = asked;
  await lockPipeline(transaction, { project, pipeline: definition.name });
  const before = await waitingOf(transaction, asked);
  const { reasons } = await lookAtPolicy(transaction, { project, definition, atMs });
  if (reasons.length === 0) return startNow(transaction, merge(before, cause), asked);
  const waits = cause.on === "alert" || (cause.on === "data" && reasons.every(({ kind }) => kind !== "nothing_new"));
  const waiting = waits ? merge(before, cause) : before;
  const type = waits ? "retraining.waited" : "retraining.skipped";
  await tell(transaction, asked, { type, data: { causes: [cause], reasons, waiting } });
  return undefined;
}

/**
 * Looks again at what waits: trains if it may, or gives up what nobody needs any more.
 *
 * @returns when to look again though nothing happens meanwhile; undefined: nothing waits
 */
export async function lookAgain(transaction: WriteTransaction, asked: Asked): Promise<number | undefined> {
  const { project, definition, atMs } = asked;
  await lockPipeline(transaction, { project, pipeline: definition.name });
  const waiting = await waitingOf(transaction, asked);
  if (waiting.length === 0) return undefined;
  const standing = await lookAtPolicy(transaction, { project, definition, atMs });
  const why = await whyWithdrawn(transaction, waiting, standing);
  const { reasons } = standing;
  if (why !== undefined) {
    const data = { causes: waiting, reasons, waiting: [], why };
    await tell(transaction, asked, { type: "retraining.withdrawn", data });
    return undefined;
  }
  if (reasons.length === 0) {
    await startNow(transaction, waiting, asked);
    return undefined;
  }
  const [last] = await listRetrainingEvents(transaction, { project, pipeline: definition.name, limit: 1 });
  if (!isSame(last, reasons))
    await tell(transaction, asked, { type: "retraining.waited", data: { causes: waiting, reasons, waiting } });
  return Math.max(...reasons.map(({ untilMs }) => untilMs ?? atMs + LOOK_AGAIN_MS), atMs + 1);
}

/** What asks for a retraining and was not answered. */
export function waitingIn(event: RetrainingEvent | undefined): readonly RetrainingCause[] {
  return event?.data.waiting ?? [];
}

/** Another process may have changed what holds it back. */
const LOOK_AGAIN_MS = 60_000;

async function waitingOf(
  transaction: WriteTransaction,
  { project, definition }: Asked,
): Promise<readonly RetrainingCause[]> {
  return waitingIn((await listRetrainingEvents(transaction, { project, pipeline: definition.name, limit: 1 }))[0]);
}

async function startNow(
  transaction: WriteTransaction,
  causes: readonly RetrainingCause[],
  asked: Asked,
): Promise<string | undefined> {
  const [first] = causes;
  if (first === undefined) return undefined;
  const pipelineRunId = await asked.start(first);
  if (pipelineRunId === undefined) return undefined;
  await linkAlertsToRun(transaction, { alertIds: causes.flatMap(alertsOf), pipelineRunId });
  await tell(transaction, asked, {
    type: "retraining.started",
    data: { causes, reasons: [], waiting: [], pipelineRunId },
  });
  return pipelineRunId;
}

type Told =
  | {
      readonly type: "retraining.started";
      readonly data: Extract<RetrainingEvent, { type: "retraining.started" }>["data"];
    }
  | {
      readonly type: "retraining.withdrawn";
      readonly data: Extract<RetrainingEvent, { type: "retraining.withdrawn" }>["data"];
    }
  | {
      readonly type: "retraining.waited" | "retraining.skipped";
      readonly data: Extract<RetrainingEvent, { type: "retraining.waited" }>["data"];
    };

async function tell(
  transaction: WriteTransaction,
  { project, definition, atMs, actor }: Asked,
  told: Told,
): Promise<void> {
  await appendEvent(transaction, {
    ...told,
    atMs,
    project,
    subjectKind: RETRAINING,
    subject: definition.name,
    actor,
  });
}

/** Alerts that have closed need no new model, and who trained since then has answered what waited. */
async function whyWithdrawn(
  transaction: WriteTransaction,
  waiting: readonly RetrainingCause[],
  { last }: RetrainingStanding,
): Promise<"alerts_closed" | "trained" | undefined> {
  const latestMs = Math.max(...waiting.map(({ atMs }) => atMs));
  if (last !== undefined && last.createdAtMs > latestMs && last.status !== "queued" && last.status !== "running")
    return "trained";
  if (waiting.some(({ on }) => on !== "alert")) return undefined;
  return (await isAnyAlertOpen(transaction, waiting.flatMap(alertsOf))) ? undefined : "alerts_closed";
}

/** Ids of the alerts that a cause names. */
function alertsOf({ on, cause }: RetrainingCause): readonly string[] {
  if (on !== "alert" || !("alerts" in cause) || !Array.isArray(cause.alerts)) return [];
  const alerts: readonly { readonly id?: unknown }[] = cause.alerts;
  return alerts.flatMap(({ id }) => (typeof id === "string" ? [id] : []));
}

const MOST_WAITING = 50;

/** Of one subject the newest alerts of data count; alerts are all kept. */
function merge(before: readonly RetrainingCause[], cause: RetrainingCause): readonly RetrainingCause[] {
  const kept =
    cause.on === "data" ? before.filter(({ on, subject }) => on !== "data" || subject !== cause.subject) : before;
  return [...kept, cause].slice(-MOST_WAITING);
}

function isSame(last: RetrainingEvent | undefined, reasons: readonly RetrainingReason[]): boolean {
  const mark = (each: readonly RetrainingReason[]): string => JSON.stringify(each);
  return last !== undefined && last.type === "retraining.waited" && mark(last.data.reasons) === mark(reasons);
}
