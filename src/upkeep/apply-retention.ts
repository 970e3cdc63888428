import type { Clock } from "#base";
import { appendEvent, type MetadataStore, type WriteTransaction } from "#metadata-store";
import { deleteLogs, deletePredictions } from "#metadata-store/upkeep";

/** How long things are kept, in ms; what is left out is kept for ever. */
export interface Retention {
  readonly predictions?: number | undefined;
  readonly logs?: number | undefined;
}

export interface Expired {
  readonly predictions: number;
  /** Step runs whose log went. */
  readonly logs: number;
}

const ROWS_A_CHANGE = 1000;
const STEP_RUNS_A_CHANGE = 50;

/**
 * Removes what a project keeps no longer, in small changes, so that nobody waits. What a registered model version or a
 * release is made of keeps its logs.
 */
export async function applyRetention(
  { store, clock, project }: { readonly store: MetadataStore; readonly clock: Clock; readonly project: string },
  request: { readonly retention: Retention; readonly actor: string; readonly signal: AbortSignal },
): Promise<Expired> {
  const nowMs = clock.now();
  const sweep = async (
    keptMs: number | undefined,
    limit: number,
    remove: (
      transaction: WriteTransaction,
      expiry: { readonly project: string; readonly beforeMs: number; readonly limit: number },
    ) => Promise<number>,
  ): Promise<number> => {
    if (keptMs === undefined) return 0;
    for (let total = 0; ;) {
      request.signal.throwIfAborted();
      const gone = await store.write((transaction) =>
        remove(transaction, { project, beforeMs: nowMs - keptMs, limit }),
      );
      total += gone;
      if (gone === 0) return total;
    }
  };
  const { retention, actor } = request;
  const expired = {
    predictions: await sweep(retention.predictions, ROWS_A_CHANGE, deletePredictions),
    logs: await sweep(retention.logs, STEP_RUNS_A_CHANGE, deleteLogs),
  };
  if (expired.predictions + expired.logs > 0)
    await store.write((transaction) =>
      appendEvent(transaction, {
        atMs: clock.now(),
        project,
        type: "retention.applied",
        subjectKind: "project",
        subject: project,
        actor,
        data: { ...expired, atMs: nowMs, kept: { predictions: retention.predictions, logs: retention.logs } },
      }),
    );
  return expired;
}
