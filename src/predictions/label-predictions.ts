import type { MetadataStore } from "#metadata-store";
import {
  getPredictionHistory,
  holdPredictionHistory,
  type LabelReport,
  type LabelTarget,
  type Outcome,
  type PredictionHistory,
  listKnownTargets,
  recordLabels,
} from "#metadata-store/serving";
import type { HistoryReader } from "./history.ts";
import type { LabelBatch } from "./predictions.ts";

/**
 * Joins labels to their predictions, wherever these lie.
 *
 * What lies in the history is looked up before the change, of one version; the change is made only while that is still
 * the version, so a prediction that is on its way is found on one side or the other.
 */
export async function labelWhole(
  { store, history }: { readonly store: MetadataStore; readonly history: HistoryReader },
  batch: LabelBatch,
): Promise<LabelReport & { readonly outcomes: readonly Outcome[] }> {
  for (;;) {
    const of = await store.read((transaction) => getPredictionHistory(transaction, batch));
    const moved = of === undefined ? [] : await findMoved({ store, history }, of, batch);
    const recorded = await store.write(async (transaction) => {
      const current = await holdPredictionHistory(transaction, batch);
      if (current?.deltaVersion !== of?.deltaVersion) return undefined;
      return recordLabels(transaction, { ...batch, moved });
    });
    if (recorded !== undefined) return recorded;
  }
}

async function findMoved(
  { store, history }: { readonly store: MetadataStore; readonly history: HistoryReader },
  of: PredictionHistory,
  batch: LabelBatch,
): Promise<readonly LabelTarget[]> {
  const ids = batch.labels.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const byKey = batch.labels.flatMap(({ id, entityKey, atMs }) =>
    id === undefined && entityKey !== undefined ? [{ entityKey, atMs }] : [],
  );
  // What is being taken out of the database may be gone from it before the labels are written.
  const isMoving = of.clearedVersion < of.deltaVersion;
  const known = isMoving
    ? { ids: new Set<string>(), times: new Map<string, number[]>() }
    : await store.read((transaction) =>
        listKnownTargets(transaction, { ...batch, ids, entityKeys: byKey.map(({ entityKey }) => entityKey) }),
      );
  const absent = ids.filter((id) => !known.ids.has(id));
  const targets = absent.length === 0 ? [] : (await history.findByIds(of, absent)).map(toTarget);
  const wanted = byKey.map(({ entityKey, atMs }) => ({
    entityKey,
    atMs,
    knownAtMs: latestOf(known.times.get(entityKey) ?? [], atMs),
  }));
  return [...targets, ...(wanted.length === 0 ? [] : await history.findByEntities(of, wanted))];
}

function latestOf(times: readonly number[], atMs: number | undefined): number | undefined {
  let latest: number | undefined;
  for (const time of times)
    if ((atMs === undefined || time <= atMs) && (latest === undefined || time > latest)) latest = time;
  return latest;
}

function toTarget(row: Awaited<ReturnType<HistoryReader["findByIds"]>>[number]): LabelTarget {
  return {
    id: row.id,
    model_version_id: row.modelVersionId,
    arm: row.arm,
    prediction: row.prediction ?? null,
    prediction_text: row.predictionText ?? null,
    at_ms: row.atMs,
    received_at_ms: row.receivedAtMs,
    entity_key: row.entityKey ?? null,
    propensity: row.propensity ?? null,
  };
}
