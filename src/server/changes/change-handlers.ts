import type { Change } from "#api";
import type { Platform } from "#app";
import { listEvents, type StoredEvent } from "#metadata-store";
import type { ApiHandlers, StreamedEvent } from "../api/api-mounts.ts";

const LARGEST_BATCH = 500;
/**
 * On PostgreSQL an event with a smaller sequence may become visible after one with a larger: so many are looked at
 * again.
 */
const OVERTAKEN_EVENTS = 1000;

/** The event log as a stream of hints: something changed, read it again. */
export function createChangeHandlers({ store, project }: Platform): Pick<ApiHandlers, "streamChanges"> {
  return {
    async *streamChanges({ query, lastEventId, signal }) {
      let after = query.after ?? lastEventId ?? (await newestSequence());
      const changed = waitForChanges((listener) => store.onChange(listener), signal);
      try {
        while (!signal.aborted) {
          // Read before the events: what comes in between is read again with the next change.
          // oxlint-disable-next-line no-await-in-loop -- the stream goes on as events come
          const newest = await newestSequence();
          // oxlint-disable-next-line no-await-in-loop -- as above
          const events = await store.read((transaction) =>
            listEvents(transaction, { after, project, limit: LARGEST_BATCH }),
          );
          for (const event of events) {
            after = event.sequence;
            yield { sequence: event.sequence, data: toChange(event) } satisfies StreamedEvent<Change>;
          }
          if (events.length < LARGEST_BATCH) {
            // Events of other projects are passed over once.
            after = Math.max(after, newest - OVERTAKEN_EVENTS);
            // oxlint-disable-next-line no-await-in-loop -- as above
            await changed.next();
          }
        }
      } finally {
        changed.end();
      }
    },
  };

  async function newestSequence(): Promise<number> {
    const [newest] = await store.read((transaction) => listEvents(transaction, { newestFirst: true, limit: 1 }));
    return newest?.sequence ?? 0;
  }
}

function toChange(event: StoredEvent): Change {
  const pipelineRunId = "pipelineRunId" in event.data ? event.data.pipelineRunId : undefined;
  return {
    sequence: event.sequence,
    type: event.type,
    subjectKind: event.subjectKind,
    subject: event.subject,
    atMs: event.atMs,
    pipelineRunId,
  };
}

/** Turns calls of a listener into something to wait for; a call between two waits is not lost. */
function waitForChanges(
  subscribe: (listener: () => void) => () => void,
  signal: AbortSignal,
): { next(): Promise<void>; end(): void } {
  let pending = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    pending = true;
    wake?.();
  };
  const unsubscribe = subscribe(notify);
  signal.addEventListener("abort", notify, { once: true });
  return {
    async next() {
      if (!pending) await new Promise<void>((resolve) => (wake = resolve));
      pending = false;
      wake = undefined;
    },
    end: unsubscribe,
  };
}
