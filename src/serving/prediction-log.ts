import { addObservation, type ArmObservation } from "#delivery";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import { changeTrialFigures, type EndpointKey, type NewPrediction, recordPredictions } from "#metadata-store/serving";

/** What the arms of a trial did with a request. */
export interface TrialNote {
  readonly key: EndpointKey;
  readonly observations: readonly ArmObservation[];
}

interface Pending {
  readonly rows: readonly NewPrediction[];
  readonly note: TrialNote | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Where every prediction is written before it is answered. */
export interface PredictionLog {
  /**
   * Resolves when the rows are durable, and with them what a trial is judged by. @throws METADATA_STORE_WRITE_FAILED
   */
  append(rows: readonly NewPrediction[], note?: TrialNote): Promise<void>;
}

const LARGEST_COMMIT_ROWS = 8192;
const LONGEST_WAIT_MS = 10;

/**
 * Group commit: while one commit is on its way, rows gather; they go together with the next.
 * What was not committed was not answered, so nothing acknowledged can be lost.
 *
 * A commit costs one write to the disk, whoever shares it. When the last one was shared, the next waits until as many
 * callers are back, but no longer than that commit took: a lone caller never waits, many callers do not each pay for
 * the disk.
 */
export function createPredictionLog(store: MetadataStore): PredictionLog {
  const queue: Pending[] = [];
  let writing = false;
  let last = { callers: 1, tookMs: 0 };
  let arrived: (() => void) | undefined;

  async function gather(): Promise<void> {
    if (last.callers === 1 || queue.length >= last.callers) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(last.tookMs, LONGEST_WAIT_MS));
      arrived = () => {
        if (queue.length < last.callers) return;
        clearTimeout(timer);
        resolve();
      };
    });
    arrived = undefined;
  }

  async function flush(): Promise<void> {
    while (queue.length > 0) {
      await gather();
      const group = takeGroup(queue);
      const startMs = performance.now();
      try {
        await store.write(async (transaction) => {
          await recordPredictions(
            transaction,
            group.flatMap((pending) => pending.rows),
          );
          await recordNotes(
            transaction,
            group.flatMap(({ note }) => note ?? []),
          );
        });
        for (const pending of group) pending.resolve();
      } catch (error) {
        for (const pending of group) pending.reject(error);
      }
      last = { callers: group.length, tookMs: performance.now() - startMs };
    }
    writing = false;
  }

  return {
    append: (rows, note) =>
      new Promise((resolve, reject) => {
        queue.push({ rows, note, resolve, reject });
        arrived?.();
        if (writing) return;
        writing = true;
        void flush();
      }),
  };
}

/** One change for each endpoint, however many requests share the commit. */
async function recordNotes(transaction: WriteTransaction, notes: readonly TrialNote[]): Promise<void> {
  const byEndpoint = Map.groupBy(notes, ({ key }) => JSON.stringify([key.project, key.environment, key.endpoint]));
  for (const [, group] of byEndpoint) {
    const [first] = group;
    if (first === undefined) continue;
    await changeTrialFigures(transaction, first.key, (figures) =>
      group.flatMap(({ observations }) => observations).reduce(addObservation, figures),
    );
  }
}

function takeGroup(queue: Pending[]): Pending[] {
  const group: Pending[] = [];
  let rows = 0;
  for (
    let next = queue[0];
    next !== undefined && (group.length === 0 || rows + next.rows.length <= LARGEST_COMMIT_ROWS);
    next = queue[0]
  ) {
    rows += next.rows.length;
    group.push(next);
    queue.shift();
  }
  return group;
}
