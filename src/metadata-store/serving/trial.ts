import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { EndpointKey, EndpointStrategy } from "./endpoint.ts";
import type { ServingTables } from "./tables.ts";

export const TRIAL_OUTCOMES = ["promoted", "aborted", "ended", "replaced"] as const;
export type TrialOutcome = (typeof TRIAL_OUTCOMES)[number];

/** What one arm of a trial did so far. */
export interface ArmFigures {
  /** Requests of which it had to answer at least one row. */
  readonly requests: number;
  readonly rows: number;
  /** Requests that it could not answer, by error code. */
  readonly failures: Readonly<Record<string, number>>;
  /** Answered requests by duration; what a bucket means is for who fills it. */
  readonly durations: Readonly<Record<string, number>>;
  /** Answered rows by answer; missing in figures that were kept before answers were. */
  readonly outputs?: Readonly<Record<string, number>> | undefined;
}

/** How far the answers of a shadow lie from those that were given. */
export interface TrialComparison {
  readonly rows: number;
  /** Sum of the absolute differences of numbers. */
  readonly difference: number;
  /** Rows with the same class. */
  readonly agreed: number;
}

export interface TrialFigures {
  readonly stable: ArmFigures;
  readonly candidate: ArmFigures;
  readonly comparison?: TrialComparison | undefined;
}

/** One trial of a candidate beside the stable version. */
export interface EndpointTrial extends EndpointKey {
  readonly id: string;
  readonly strategy: EndpointStrategy;
  readonly stableVersionId: string;
  readonly candidateVersionId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly outcome: TrialOutcome | undefined;
  /** JSON: why it ended, as who ended it says; undefined while it goes on. */
  readonly reason: object | undefined;
  readonly figures: TrialFigures;
}

const NO_FIGURES: ArmFigures = { requests: 0, rows: 0, failures: {}, durations: {} };
const LARGEST_PAGE = 100;

function toTrial(row: Selectable<ServingTables["endpoint_trial"]>): EndpointTrial {
  return {
    id: row.id,
    project: row.project,
    environment: row.environment,
    endpoint: row.endpoint,
    strategy: JSON.parse(row.strategy) as EndpointStrategy,
    stableVersionId: row.stable_version_id,
    candidateVersionId: row.candidate_version_id,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms ?? undefined,
    outcome: row.outcome ?? undefined,
    reason: row.reason === null ? undefined : (JSON.parse(row.reason) as object),
    figures: JSON.parse(row.figures) as TrialFigures,
  };
}

/** Trials of an endpoint, newest first. */
export async function listTrials(
  transaction: ReadTransaction,
  key: EndpointKey & { readonly limit?: number },
): Promise<readonly EndpointTrial[]> {
  const rows = await transaction
    .selectFrom("endpoint_trial")
    .selectAll()
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .orderBy("id", "desc")
    .limit(Math.min(key.limit ?? 10, LARGEST_PAGE))
    .execute();
  return rows.map(toTrial);
}

/** How many trials an endpoint has had. */
export async function countTrials(transaction: ReadTransaction, key: EndpointKey): Promise<number> {
  const { count } = await transaction
    .selectFrom("endpoint_trial")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** The trial that goes on; undefined when none does. */
export async function getOpenTrial(transaction: ReadTransaction, key: EndpointKey): Promise<EndpointTrial | undefined> {
  const row = await transaction
    .selectFrom("endpoint_trial")
    .selectAll()
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("ended_at_ms", "is", null)
    .executeTakeFirst();
  return row === undefined ? undefined : toTrial(row);
}

export async function beginTrial(
  transaction: WriteTransaction,
  trial: Pick<EndpointTrial, "id" | "strategy" | "stableVersionId" | "candidateVersionId" | "startedAtMs"> &
    EndpointKey,
): Promise<void> {
  await transaction
    .insertInto("endpoint_trial")
    .values({
      id: trial.id,
      project: trial.project,
      environment: trial.environment,
      endpoint: trial.endpoint,
      strategy: JSON.stringify(trial.strategy),
      stable_version_id: trial.stableVersionId,
      candidate_version_id: trial.candidateVersionId,
      started_at_ms: trial.startedAtMs,
      ended_at_ms: null,
      outcome: null,
      reason: null,
      figures: JSON.stringify({ stable: NO_FIGURES, candidate: NO_FIGURES } satisfies TrialFigures),
    })
    .execute();
}

/** Changes how the trial that goes on tries its candidate. */
export async function changeOpenStrategy(
  transaction: WriteTransaction,
  key: EndpointKey,
  strategy: EndpointStrategy,
): Promise<void> {
  await transaction
    .updateTable("endpoint_trial")
    .set({ strategy: JSON.stringify(strategy) })
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("ended_at_ms", "is", null)
    .execute();
}

/** Ends the trial that goes on, if one does. */
export async function endOpenTrial(
  transaction: WriteTransaction,
  key: EndpointKey,
  end: { readonly outcome: TrialOutcome; readonly reason: object | undefined; readonly atMs: number },
): Promise<void> {
  await transaction
    .updateTable("endpoint_trial")
    .set({
      ended_at_ms: end.atMs,
      outcome: end.outcome,
      reason: end.reason === undefined ? null : JSON.stringify(end.reason),
    })
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("ended_at_ms", "is", null)
    .execute();
}

/**
 * Changes the figures of the trial that goes on; without one nothing is kept. Changes of several processes follow one
 * another.
 */
export async function changeTrialFigures(
  transaction: WriteTransaction,
  key: EndpointKey,
  change: (figures: TrialFigures) => TrialFigures,
): Promise<void> {
  const open = await getOpenTrial(transaction, key);
  if (open === undefined) return;
  await transaction
    .updateTable("endpoint_trial")
    .set({ figures: JSON.stringify(change(open.figures)) })
    .where("id", "=", open.id)
    .execute();
}
