import type { MetadataStore } from "#metadata-store";
import { listWindowFacts, type WindowFacts } from "#metadata-store/monitoring";
import {
  countWindows,
  type EndpointKey,
  listChangedHours,
  type PredictionTotal,
  type WindowCount,
} from "#metadata-store/serving";
import type { WindowSize } from "./monitor-file.ts";
import type { MonitorSet } from "./monitor-set.ts";
import { windowMs, windowStart } from "./window-time.ts";

/**
 * What a process remembers of an endpoint between two looks at it, so that a look costs what changed since the last
 * one.
 * Empty at first and after the monitors changed: then every window is compared with what was stored of it, once.
 */
export interface WatchMemory {
  /** The monitors it holds for. */
  sets: string | undefined;
  /** Revision of the counters seen last, by model version and arm. */
  revisions: ReadonlyMap<string, number>;
  /**
   * Windows to be looked at again although their counters stand still, by size: start to the earliest time for it,
   * epoch ms.
   */
  waiting: Map<WindowSize, Map<number, number>>;
}

export function createWatchMemory(): WatchMemory {
  return { sets: undefined, revisions: new Map(), waiting: new Map() };
}

/** One window with predictions. */
export interface CountedWindow {
  readonly startMs: number;
  readonly counts: readonly WindowCount[];
  /** What is stored of it; undefined before its first evaluation. */
  readonly known: WindowFacts | undefined;
}

/** Hours whose counters changed since the last look; undefined when all are to be looked at. */
export async function findChangedHours(
  store: MetadataStore,
  key: EndpointKey,
  facts: {
    readonly totals: readonly PredictionTotal[];
    readonly sets: readonly MonitorSet[];
    readonly memory: WatchMemory;
  },
): Promise<readonly number[] | undefined> {
  const { totals, sets, memory } = facts;
  if (memory.sets !== JSON.stringify(sets)) return undefined;
  const hours = new Set<number>();
  for (const { modelVersionId, arm, revision } of totals) {
    const afterRevision = memory.revisions.get(`${arm} ${modelVersionId}`) ?? 0;
    if (revision <= afterRevision) continue;
    for (const hour of await store.read((transaction) =>
      listChangedHours(transaction, { ...key, modelVersionId, arm, afterRevision }),
    ))
      hours.add(hour);
  }
  return [...hours];
}

/** Remembers that everything up to these totals was looked at. */
export function remember(memory: WatchMemory, totals: readonly PredictionTotal[], sets: readonly MonitorSet[]): void {
  memory.sets = JSON.stringify(sets);
  memory.revisions = new Map(totals.map(({ arm, modelVersionId, revision }) => [`${arm} ${modelVersionId}`, revision]));
}

/** Windows of a time range that hold predictions, by start. */
export async function countRange(
  store: MetadataStore,
  key: EndpointKey,
  range: { readonly size: WindowSize; readonly fromMs?: number | undefined; readonly toMs?: number | undefined },
): Promise<readonly CountedWindow[]> {
  const { size } = range;
  const lengthMs = windowMs(size);
  const bounds = {
    ...(range.fromMs === undefined ? {} : { fromMs: windowStart(size, range.fromMs) }),
    ...(range.toMs === undefined ? {} : { toMs: windowStart(size, range.toMs) + lengthMs }),
  };
  const known = new Map(
    (await store.read((transaction) => listWindowFacts(transaction, { ...key, size, ...bounds }))).map((window) => [
      window.startMs,
      window,
    ]),
  );
  const counts = await store.read((transaction) =>
    countWindows(transaction, { ...key, originMs: windowStart(size, 0), lengthMs, ...bounds }),
  );
  return [...Map.groupBy(counts, ({ startMs }) => startMs)].map(([startMs, own]) => ({
    startMs,
    counts: own,
    known: known.get(startMs),
  }));
}

/** The windows that some hours fall into, and those whose time to be looked at again has come; by start. */
export async function* countChanged(
  store: MetadataStore,
  key: EndpointKey,
  facts: {
    readonly size: WindowSize;
    readonly hours: readonly number[];
    readonly memory: WatchMemory;
    readonly nowMs: number;
  },
): AsyncGenerator<CountedWindow> {
  const { size, hours, memory, nowMs } = facts;
  const waiting = memory.waiting.get(size) ?? new Map<number, number>();
  const due = [...waiting].flatMap(([startMs, notBeforeMs]) => (notBeforeMs <= nowMs ? [startMs] : []));
  const changed = hours.map((hourMs) => windowStart(size, hourMs));
  for (const startMs of [...new Set([...changed, ...due])].sort((left, right) => left - right)) {
    yield* await countRange(store, key, { size, fromMs: startMs, toMs: startMs });
    // Lets requests be answered between windows.
    await new Promise(setImmediate);
  }
}
