import type { Clock } from "#base";
import { appendEvent, type MetadataStore, type WriteTransaction } from "#metadata-store";
import { deleteLogs, deletePredictions, deleteRuns, expireVersions, type RunsPlace } from "#metadata-store/upkeep";
import type { Predictions } from "#predictions";

/** How long things are kept, in ms; what is left out is kept for ever. */
export interface Retention {
  readonly predictions?: number | undefined;
  readonly logs?: number | undefined;
  readonly versions?: number | undefined;
  readonly runs?: number | undefined;
}

export interface Expired {
  readonly predictions: number;
  /** Step runs whose log went. */
  readonly logs: number;
  /** Versions of datasets that can be read no longer. */
  readonly versions: number;
  readonly runs: number;
}

/** What went, and whose data files may go now. */
export interface AppliedRetention {
  readonly expired: Expired;
  /** Datasets of which a version can be read no longer, by name. */
  readonly datasets: readonly string[];
}

const ROWS_A_CHANGE = 1000;
const STEP_RUNS_A_CHANGE = 50;
const VERSIONS_A_CHANGE = 500;
const RUNS_A_CHANGE = 200;

interface Sweep {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly project: string;
  readonly nowMs: number;
  readonly actor: string;
  readonly signal: AbortSignal;
}

/**
 * Removes what a project keeps no longer, in small changes, so that nobody waits. What a registered model version or a
 * release is made of keeps its logs and its rows; a run that made a version stays. Predictions that left the database
 * go with their file, when the last of it is old enough.
 */
export async function applyRetention(
  facts: {
    readonly store: MetadataStore;
    readonly clock: Clock;
    readonly project: string;
    readonly predictions: Pick<Predictions, "expire">;
  },
  request: { readonly retention: Retention; readonly actor: string; readonly signal: AbortSignal },
): Promise<AppliedRetention> {
  const { store, clock, project } = facts;
  const { retention, actor, signal } = request;
  const sweep: Sweep = { store, clock, project, nowMs: clock.now(), actor, signal };
  const moved =
    retention.predictions === undefined
      ? 0
      : await facts.predictions.expire({ project, beforeMs: sweep.nowMs - retention.predictions, signal });
  const predictions = moved + (await sweepRows(sweep, retention.predictions, ROWS_A_CHANGE, deletePredictions));
  const logs = await sweepRows(sweep, retention.logs, STEP_RUNS_A_CHANGE, deleteLogs);
  const datasets = await sweepVersions(sweep, retention.versions);
  const runs = await sweepRuns(sweep, retention.runs);
  const versions = [...datasets.values()].reduce((sum, count) => sum + count, 0);
  const expired = { predictions, logs, versions, runs };
  if (predictions + logs + versions + runs > 0)
    await store.write((transaction) =>
      appendEvent(transaction, {
        atMs: clock.now(),
        project,
        type: "retention.applied",
        subjectKind: "project",
        subject: project,
        actor,
        data: { ...expired, atMs: sweep.nowMs, kept: { ...retention } },
      }),
    );
  return { expired, datasets: [...datasets.keys()].sort() };
}

async function sweepRows(
  { store, project, nowMs, signal }: Sweep,
  keptMs: number | undefined,
  limit: number,
  remove: (
    transaction: WriteTransaction,
    expiry: { readonly project: string; readonly beforeMs: number; readonly limit: number },
  ) => Promise<number>,
): Promise<number> {
  if (keptMs === undefined) return 0;
  for (let total = 0; ;) {
    signal.throwIfAborted();
    const gone = await store.write((transaction) => remove(transaction, { project, beforeMs: nowMs - keptMs, limit }));
    total += gone;
    if (gone === 0) return total;
  }
}

/** @returns how many versions of each dataset */
async function sweepVersions(
  { store, project, nowMs, actor, signal }: Sweep,
  keptMs: number | undefined,
): Promise<ReadonlyMap<string, number>> {
  const gone = new Map<string, number>();
  if (keptMs === undefined) return gone;
  for (;;) {
    signal.throwIfAborted();
    const found = await store.write(async (transaction) => {
      const expiry = { project, beforeMs: nowMs - keptMs, limit: VERSIONS_A_CHANGE, atMs: nowMs };
      const versions = await expireVersions(transaction, expiry);
      for (const [asset, of] of Map.groupBy(versions, (version) => version.asset))
        await appendEvent(transaction, {
          atMs: nowMs,
          project,
          type: "retention.expired",
          subjectKind: "asset",
          subject: asset,
          actor,
          data: { versions: of.map(({ version }) => version).sort((one, other) => one - other), atMs: nowMs },
        });
      return versions;
    });
    for (const { asset } of found) gone.set(asset, (gone.get(asset) ?? 0) + 1);
    if (found.length < VERSIONS_A_CHANGE) return gone;
  }
}

async function sweepRuns({ store, project, nowMs, signal }: Sweep, keptMs: number | undefined): Promise<number> {
  if (keptMs === undefined) return 0;
  let total = 0;
  for (let after: RunsPlace | undefined; ;) {
    signal.throwIfAborted();
    const place = after;
    const { gone, next } = await store.write((transaction) =>
      deleteRuns(transaction, { project, beforeMs: nowMs - keptMs, after: place, limit: RUNS_A_CHANGE }),
    );
    total += gone;
    if (next === undefined) return total;
    after = next;
  }
}
