import { newId } from "#base";
import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { beginTrial, changeOpenStrategy, endOpenTrial, type TrialOutcome } from "./trial.ts";
import {
  type Endpoint,
  type EndpointAction,
  type EndpointKey,
  type EndpointOptions,
  type EndpointStrategy,
  toEndpoint,
} from "./endpoint.ts";

export interface EndpointChange extends EndpointKey {
  readonly action: EndpointAction;
  /** The version that answers after the change. */
  readonly modelVersionId: string;
  readonly candidateVersionId?: string | undefined;
  readonly strategy: EndpointStrategy;
  /** Kept as they are when left out. */
  readonly options?: EndpointOptions | undefined;
  readonly actor: string;
  readonly atMs: number;
  /** The same operation changes an endpoint once. */
  readonly operationId: string;
  /** Why a trial ends, for `promote` and `abort`. */
  readonly reason?: object | undefined;
}

/**
 * Points an endpoint at a model version, with its history row and the event `endpoint.changed`.
 *
 * Idempotent by `operationId`: a second call with the same one changes nothing and returns the endpoint as it is.
 */
export async function saveEndpoint(
  transaction: WriteTransaction,
  change: EndpointChange,
): Promise<{ readonly endpoint: Endpoint; readonly changed: boolean }> {
  const current = await transaction
    .selectFrom("endpoint")
    .selectAll()
    .where("project", "=", change.project)
    .where("environment", "=", change.environment)
    .where("name", "=", change.endpoint)
    .executeTakeFirst();
  const known = await transaction
    .selectFrom("endpoint_change")
    .select("id")
    .where("operation_id", "=", change.operationId)
    .executeTakeFirst();
  if (known !== undefined && current !== undefined) return { endpoint: toEndpoint(current), changed: false };
  const replaced = current !== undefined && current.model_version_id !== change.modelVersionId;
  const previous = replaced ? current.model_version_id : (current?.previous_version_id ?? null);
  const row = {
    project: change.project,
    environment: change.environment,
    name: change.endpoint,
    model_version_id: change.modelVersionId,
    candidate_version_id: change.candidateVersionId ?? null,
    previous_version_id: previous,
    strategy: JSON.stringify(change.strategy),
    state: change.action === "stop" ? ("stopped" as const) : ("ready" as const),
    options: change.options === undefined ? (current?.options ?? "{}") : JSON.stringify(change.options),
    generation: (current?.generation ?? 0) + 1,
    updated_at_ms: change.atMs,
  };
  const { project: _project, environment: _environment, name: _name, ...changed } = row;
  await transaction
    .insertInto("endpoint")
    .values(row)
    .onConflict((conflict) => conflict.columns(["project", "environment", "name"]).doUpdateSet(changed))
    .execute();
  await transaction
    .insertInto("endpoint_change")
    .values({
      id: newId(change.atMs),
      project: change.project,
      environment: change.environment,
      endpoint: change.endpoint,
      action: change.action,
      model_version_id: change.candidateVersionId ?? change.modelVersionId,
      previous_version_id: previous,
      strategy: row.strategy,
      actor: change.actor,
      at_ms: change.atMs,
      operation_id: change.operationId,
    })
    .execute();
  await changeTrial(transaction, change);
  await appendEvent(transaction, {
    atMs: change.atMs,
    project: change.project,
    type: "endpoint.changed",
    subjectKind: "endpoint",
    subject: `${change.environment}/${change.endpoint}`,
    actor: change.actor,
    data: {
      action: change.action,
      modelVersionId: change.modelVersionId,
      candidateVersionId: change.candidateVersionId,
      strategy: change.strategy,
      reason: change.reason,
    },
  });
  return { endpoint: toEndpoint(row), changed: true };
}

const OUTCOMES: Readonly<Partial<Record<EndpointAction, TrialOutcome>>> = {
  promote: "promoted",
  abort: "aborted",
  end: "ended",
};

/** Whatever changes an endpoint ends its trial, but another share for its candidate; a try begins one. */
async function changeTrial(transaction: WriteTransaction, change: EndpointChange): Promise<void> {
  if (change.action === "advance") return changeOpenStrategy(transaction, change, change.strategy);
  await endOpenTrial(transaction, change, {
    outcome: OUTCOMES[change.action] ?? "replaced",
    reason: change.reason,
    atMs: change.atMs,
  });
  if (change.action !== "try" || change.candidateVersionId === undefined) return;
  await beginTrial(transaction, {
    ...change,
    id: newId(change.atMs),
    stableVersionId: change.modelVersionId,
    candidateVersionId: change.candidateVersionId,
    startedAtMs: change.atMs,
  });
}
