import type { MetadataStore } from "#metadata-store";
import {
  type EndpointKey,
  getPredictionHistory,
  type MovedLabel,
  type NewPrediction,
  type PredictionHistory,
  scanMovedLabels,
  scanPredictions,
  type ScannedPrediction,
} from "#metadata-store/serving";
import type { HistoryReader, Position } from "./history.ts";

const ROWS_PER_PAGE = 1000;

/** What part of an endpoint's predictions is read. */
export interface ScanRange extends EndpointKey {
  /** Event time, included, epoch ms. */
  readonly fromMs: number;
  /** Event time, excluded, epoch ms. */
  readonly toMs: number;
}

/**
 * Predictions of a time range, oldest first, in parts: those of the database and those that left it, each once.
 *
 * A row leaves the database after the version that holds it is the one that readers read. So the database is read
 * first, the version is asked for after it, and nothing beyond what was read of the database is taken from the history:
 * what is in neither was not there. A row that is on its way is in both; the database's has its label.
 */
export async function* scanWhole(
  { store, history }: { readonly store: MetadataStore; readonly history: HistoryReader },
  range: ScanRange,
): AsyncGenerator<readonly ScannedPrediction[], void, undefined> {
  const here = tailOf(store, range);
  const moved = movedOf(store, history, range);
  let last: Position | undefined;
  for (;;) {
    if (await here.fill()) await moved.follow(await here.version(), last);
    await moved.fill();
    const rows = mergeHeads(here, moved);
    const final = rows.at(-1);
    if (final !== undefined) {
      last = [final.at_ms, final.id];
      yield rows;
    }
    if (isEmpty(here) && isEmpty(moved)) return;
  }
}

/** Rows in order, of which the next are known until its `head` is gone. */
interface Queue {
  readonly head: () => ScannedPrediction | undefined;
  readonly take: () => void;
  /** Nothing comes behind what is known. */
  readonly isOver: () => boolean;
}

function isEmpty({ head, isOver }: Queue): boolean {
  return isOver() && head() === undefined;
}

/** What comes next of both, until one of them has to be filled. A row that both have is the first one's. */
function mergeHeads(here: Queue, moved: Queue): readonly ScannedPrediction[] {
  const rows: ScannedPrediction[] = [];
  for (;;) {
    const [left, right] = [here.head(), moved.head()];
    const isKnown = (left !== undefined || here.isOver()) && (right !== undefined || moved.isOver());
    const next = left === undefined || (right !== undefined && isBefore(right, left)) ? right : left;
    if (!isKnown || next === undefined) return rows;
    if (next === left) here.take();
    if (right?.id === next.id) moved.take();
    rows.push(next);
  }
}

function isBefore(left: ScannedPrediction, right: ScannedPrediction): boolean {
  return left.at_ms < right.at_ms || (left.at_ms === right.at_ms && left.id < right.id);
}

function tailOf(store: MetadataStore, range: ScanRange) {
  let page: readonly ScannedPrediction[] = [];
  let next = 0;
  let after: Position | undefined;
  let over = false;
  return {
    head: (): ScannedPrediction | undefined => page[next],
    take: (): void => void next++,
    isOver: (): boolean => over,
    /** @returns whether it was read again */
    async fill(): Promise<boolean> {
      if (over || next < page.length) return false;
      page = await store.readLong((transaction) =>
        scanPredictions(transaction, { ...range, after, limit: ROWS_PER_PAGE }),
      );
      next = 0;
      const last = page.at(-1);
      over = last === undefined || page.length < ROWS_PER_PAGE;
      if (last !== undefined) after = [last.at_ms, last.id];
      return true;
    },
    version: (): Promise<PredictionHistory | undefined> =>
      store.read((transaction) => getPredictionHistory(transaction, range)),
  };
}

function movedOf(store: MetadataStore, history: HistoryReader, range: ScanRange) {
  let rows: AsyncGenerator<readonly NewPrediction[], void, undefined> | undefined;
  let version: number | undefined;
  let part: readonly ScannedPrediction[] = [];
  let next = 0;
  let over = true;
  return {
    head: (): ScannedPrediction | undefined => part[next],
    take: (): void => void next++,
    isOver: (): boolean => over,
    /** Goes on at another version, behind what was taken. */
    async follow(of: PredictionHistory | undefined, after: Position | undefined): Promise<void> {
      if (of === undefined || of.deltaVersion === version) return;
      await rows?.return();
      version = of.deltaVersion;
      rows = history.readFrom(of, { fromMs: range.fromMs, toMs: range.toMs, after });
      [part, next, over] = [[], 0, false];
    },
    async fill(): Promise<void> {
      if (over || next < part.length) return;
      const read = await rows?.next();
      next = 0;
      if (read === undefined || read.done === true) {
        [part, over] = [[], true];
        return;
      }
      const [first, last] = [read.value[0], read.value.at(-1)];
      const labels = await store.readLong((transaction) =>
        scanMovedLabels(transaction, { ...range, fromMs: first?.atMs ?? 0, toMs: (last?.atMs ?? 0) + 1 }),
      );
      part = read.value.map((row) => toScanned(row, labels.get(row.id)));
    },
  };
}

function toScanned(row: NewPrediction, label: MovedLabel | undefined): ScannedPrediction {
  return {
    id: row.id,
    at_ms: row.atMs,
    model_version_id: row.modelVersionId,
    arm: row.arm,
    features: row.features,
    context: row.context ?? null,
    prediction: row.prediction ?? null,
    prediction_text: row.predictionText ?? null,
    label: label?.label ?? null,
    label_text: label?.label_text ?? null,
    label_at_ms: label === undefined ? null : Number(label.label_at_ms),
    received_at_ms: row.receivedAtMs,
    feature_status: row.featureStatus ?? null,
    label_corrections: Number(label?.label_corrections ?? 0),
  };
}
