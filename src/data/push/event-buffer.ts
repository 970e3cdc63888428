import { type Clock, digestOf, formatQuantity } from "#base";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import {
  type AcceptedBatch,
  acceptPushedBatch,
  askForPushedEvents,
  type PushedEvent,
  sumPushedEvents,
  type WaitingEvents,
} from "#metadata-store/data";
import { memberAt, parseExactly, scalarText } from "../capture/sources/json-records.ts";
import { eventIdMissing, pushBacklogFull, pushKeyInvalid, pushKeyReused } from "../push-errors.ts";
import { readEventLines } from "./event-lines.ts";
import type { PushSettings } from "./push-declaration.ts";

/** Events that come as one request, and are kept as one. */
export interface PushRequest {
  readonly dataset: string;
  readonly settings: PushSettings;
  readonly body: Buffer;
  /** The client's name for the request; a second one of that name is the same. */
  readonly idempotencyKey: string | undefined;
  readonly actor: string;
}

/** What is durable when it is told. */
export interface PushAnswer {
  /** Events that were kept: by this request, or by the first one of the same key. */
  readonly accepted: number;
  /** Events that were there already, by their ids. */
  readonly duplicates: number;
  /** The request was answered before: its idempotency key is known. */
  readonly replayed: boolean;
}

/**
 * Events on their way into datasets: kept durably when they come, and taken by the runs of the steps that capture them.
 * Several processes on one store share what waits.
 */
export interface EventBuffer {
  /**
   * @throws DATA_EVENTS_INVALID, DATA_EVENT_ID_MISSING, DATA_PUSH_KEY_INVALID, DATA_PUSH_KEY_REUSED,
   *   DATA_PUSH_BACKLOG_FULL: nothing of the request was kept then
   */
  accept(request: PushRequest): Promise<PushAnswer>;
  /**
   * Keeps the events of several datasets, and what `alsoWrite` writes with them: all in one transaction.
   *
   * @throws what `accept` throws: nothing of any request was kept then
   */
  acceptAll(
    requests: readonly PushRequest[],
    alsoWrite: (transaction: WriteTransaction) => Promise<void>,
  ): Promise<readonly PushAnswer[]>;
  waiting(dataset: string): Promise<WaitingEvents>;
  /** Whether a run should take what waits now. */
  isDue(settings: PushSettings, waiting: WaitingEvents): boolean;
  /** Notes that a run is asked for; false when another process asked. In the transaction that starts the run. */
  ask(transaction: WriteTransaction, dataset: string, waiting: WaitingEvents): Promise<boolean>;
}

const LONGEST_KEY = 255;
const LARGEST_BACKLOG_BYTES = 2 ** 30;
/** What waits is counted so often; between, what this process keeps is added. */
const COUNTED_FOR_MS = 500;
/** After a run that took nothing, the next one is asked for no sooner. */
const SHORTEST_RETRY_MS = 60_000;

export function createEventBuffer(of: {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly project: string;
}): EventBuffer {
  const { store, clock, project } = of;
  const counted = new Map<string, { events: number; sizeBytes: number; readonly atMs: number }>();

  const waiting = (dataset: string): Promise<WaitingEvents> =>
    store.read((transaction) => sumPushedEvents(transaction, { project, dataset }));

  async function assertRoom({ dataset, settings, body }: PushRequest): Promise<void> {
    let known = counted.get(dataset);
    if (known === undefined || clock.now() - known.atMs > COUNTED_FOR_MS) {
      const { events, sizeBytes } = await waiting(dataset);
      known = { events, sizeBytes, atMs: clock.now() };
      counted.set(dataset, known);
    }
    const seconds = Math.ceil(Math.min(settings.everyMs, SHORTEST_RETRY_MS) / 1000);
    const refuse = (most: string): Error => pushBacklogFull({ dataset, waiting: known.events, most, seconds });
    if (known.events >= settings.backlog) throw refuse(formatQuantity(settings.backlog, "event"));
    if (known.sizeBytes + body.length > LARGEST_BACKLOG_BYTES) throw refuse(`${LARGEST_BACKLOG_BYTES} bytes`);
  }

  async function read(request: PushRequest): Promise<Parameters<typeof acceptPushedBatch>[1]> {
    const { dataset, idempotencyKey, actor } = request;
    if (idempotencyKey !== undefined && (idempotencyKey.length === 0 || idempotencyKey.length > LONGEST_KEY))
      throw pushKeyInvalid({ found: idempotencyKey.length });
    await assertRoom(request);
    const events = withKeys(readEventLines(request.body), request);
    return { project, dataset, idempotencyKey, bodyDigest: digestOf(request.body), events, actor, atMs: clock.now() };
  }

  async function acceptAll(
    requests: readonly PushRequest[],
    alsoWrite: (transaction: WriteTransaction) => Promise<void>,
  ): Promise<readonly PushAnswer[]> {
    const batches = await Promise.all(requests.map(read));
    const kept = await store.write(async (transaction) => {
      const found: AcceptedBatch[] = [];
      for (const batch of batches) {
        // oxlint-disable-next-line no-await-in-loop -- one transaction does one thing after the other
        const one = await acceptPushedBatch(transaction, batch);
        const { dataset, idempotencyKey } = batch;
        if (one.state === "other") throw pushKeyReused({ dataset, key: idempotencyKey ?? "" });
        found.push(one);
      }
      await alsoWrite(transaction);
      return found;
    });
    return kept.map(({ events, duplicates, state }, index) => {
      const request = requests[index];
      const count = counted.get(request?.dataset ?? "");
      if (count !== undefined && state === "new") {
        count.events += events;
        count.sizeBytes += request?.body.length ?? 0;
      }
      return { accepted: events, duplicates, replayed: state === "known" };
    });
  }

  return {
    async accept(request) {
      const [answer] = await acceptAll([request], async () => {});
      return answer ?? { accepted: 0, duplicates: 0, replayed: false };
    },
    acceptAll,
    waiting,
    isDue({ everyMs, rows }, { events, sizeBytes, oldestAtMs, askedAtMs }) {
      if (events === 0 || oldestAtMs === undefined) return false;
      const nowMs = clock.now();
      if (askedAtMs !== undefined) return nowMs - askedAtMs >= Math.max(everyMs, SHORTEST_RETRY_MS);
      return events >= rows || sizeBytes >= LARGEST_BACKLOG_BYTES / 16 || nowMs - oldestAtMs >= everyMs;
    },
    ask: (transaction, dataset, { askedAtMs }) =>
      askForPushedEvents(transaction, { project, dataset, before: askedAtMs, atMs: clock.now() }),
  };
}

function withKeys(lines: readonly string[], { dataset, settings }: PushRequest): readonly PushedEvent[] {
  const { id } = settings;
  if (id === undefined) return lines.map((line) => ({ line, key: undefined }));
  return lines.map((line, index) => {
    const value = idOf(line, id);
    if (value === undefined) throw eventIdMissing({ dataset, field: id, event: index + 1 });
    return { line, key: digestOf(value).slice("sha256:".length, "sha256:".length + 32) };
  });
}

/** As it is written: a number beyond 2⁵³ keeps its digits, and `1` is another id than `"1"`. */
function idOf(line: string, field: string): string | undefined {
  const value = memberAt(parseExactly(line), field);
  if (typeof value === "string") return value === "" ? undefined : JSON.stringify(value);
  return typeof value === "boolean" ? undefined : scalarText(value);
}
