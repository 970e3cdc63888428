import type { MetadataStore, ReadTransaction } from "#metadata-store";
import {
  getPipelineDefinition,
  listRetrainingEvents,
  listRetrainingPipelines,
  listRunModels,
  type RetrainingCause,
  type RetrainingEvent,
  type RetrainingReason,
} from "#metadata-store/engine";
import type { PipelineDefinition, RetrainingLimit } from "#pipeline";
import { waitingIn } from "../retraining.ts";
import { lookAtPolicy } from "../retraining-policy.ts";

const DECISIONS = 20;

export interface RetrainingDecision {
  readonly event: RetrainingEvent;
  /** Models that the run gave which it started. */
  readonly models: Awaited<ReturnType<typeof listRunModels>> | undefined;
}

/** A policy for training again, and how it stands. */
export interface RetrainingState {
  readonly pipeline: string;
  readonly atMost: (RetrainingLimit & { readonly used: number }) | undefined;
  readonly budget: (RetrainingLimit & { readonly used: number }) | undefined;
  readonly params: Readonly<Record<string, unknown>>;
  /** What would keep it from training now. */
  readonly reasons: readonly RetrainingReason[];
  readonly waiting: readonly RetrainingCause[];
  /** Newest first. */
  readonly decisions: readonly RetrainingDecision[];
}

/** The policies of a project by pipeline, at most 1,000. */
export async function listRetrainings(
  store: MetadataStore,
  { project, nowMs }: { readonly project: string; readonly nowMs: number },
): Promise<readonly RetrainingState[]> {
  return store.read(async (transaction) => {
    const states: RetrainingState[] = [];
    for (const pipeline of await listRetrainingPipelines(transaction, project)) {
      const stored = await getPipelineDefinition(transaction, { project, pipeline });
      if (stored === undefined) continue;
      const definition: PipelineDefinition = JSON.parse(stored.content);
      states.push(await stateOf(transaction, definition, { project, nowMs }));
    }
    return states;
  });
}

async function stateOf(
  transaction: ReadTransaction,
  definition: PipelineDefinition,
  { project, nowMs }: { readonly project: string; readonly nowMs: number },
): Promise<RetrainingState> {
  const { atMost, budget, params = {} } = definition.retrain ?? {};
  const { reasons, runs, usedMs } = await lookAtPolicy(transaction, { project, definition, atMs: nowMs });
  const events = await listRetrainingEvents(transaction, { project, pipeline: definition.name, limit: DECISIONS });
  const decisions: RetrainingDecision[] = [];
  for (const event of events)
    decisions.push({
      event,
      models:
        event.type === "retraining.started" ? await listRunModels(transaction, event.data.pipelineRunId) : undefined,
    });
  return {
    pipeline: definition.name,
    atMost: atMost === undefined ? undefined : { ...atMost, used: runs },
    budget: budget === undefined ? undefined : { ...budget, used: usedMs },
    params,
    reasons,
    waiting: waitingIn(events[0]),
    decisions,
  };
}
