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
import { firstStart, lastStart, type TimeWindows } from "./window-time.ts";

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
  /** Of windows of rows, by size. */
  rows: Map<WindowSize, RowLook>;
}

/** When windows of rows are counted again: that reads the log. */
export interface RowLook {
  /** Hours that changed since they were counted last; undefined: any. */
  hours: Set<number> | undefined;
  /** Those of the last look. */
  readonly taken: ReadonlySet<number> | undefined;
  /** Not before, epoch ms. */
  notBeforeMs: number;
  /** Something changed, or was left undone. */
  isDue: boolean;
}

export function createWatchMemory(): WatchMemory {
  return { sets: undefined, revisions: new Map(), waiting: new Map(), rows: new Map() };
}

const HOUR_MS = 3_600_000;
const MOST_HOURS = 1000;

/** A window is computed again at most this often, unless someone asks. */
export const REFRESH_MS = 60_000;

/**
 * Hours in which windows of rows may have changed since they were counted last, which they are at most once in a while;
 * "none": they are not counted now.
 */
export function takeRowLook({
  memory,
  size,
  hours,
  nowMs,
}: {
  readonly memory: WatchMemory;
  readonly size: WindowSize;
  readonly hours: readonly number[] | undefined;
  readonly nowMs: number;
}): ReadonlySet<number> | undefined | "none" {
  const look: RowLook = memory.rows.get(size) ?? { hours: new Set(), taken: new Set(), notBeforeMs: 0, isDue: false };
  memory.rows.set(size, look);
  if (hours === undefined) look.hours = undefined;
  else if (hours.length > 0) for (const hour of hours) look.hours?.add(hour);
  look.isDue ||= hours === undefined || hours.length > 0;
  if (!look.isDue || nowMs < look.notBeforeMs) return "none";
  memory.rows.set(size, { hours: new Set(), taken: look.hours, notBeforeMs: nowMs + REFRESH_MS, isDue: false });
  return look.hours;
}

/** Windows of rows are to be looked at again in these hours, undefined: any, though nothing is counted meanwhile. */
export function lookAgain(
  memory: WatchMemory | undefined,
  size: WindowSize,
  { hours, atMs }: { readonly hours: ReadonlySet<number> | undefined; readonly atMs: number },
): void {
  const look = memory?.rows.get(size);
  if (look === undefined) return;
  look.isDue = true;
  look.notBeforeMs = Math.max(look.notBeforeMs, atMs);
  if (hours === undefined) look.hours = undefined;
  else for (const hour of hours) look.hours?.add(hour);
}

/** Hours that a time range touches; undefined: more than are looked at one by one. */
export function hoursBetween(fromMs: number, toMs: number): ReadonlySet<number> | undefined {
  if (!(toMs - fromMs <= MOST_HOURS * HOUR_MS)) return undefined;
  const hours = new Set<number>();
  for (let hourMs = Math.floor(fromMs / HOUR_MS) * HOUR_MS; hourMs <= toMs; hourMs += HOUR_MS) hours.add(hourMs);
  return hours;
}

/** One window with predictions. */
export interface CountedWindow {
  readonly startMs: number;
  /** Excluded. Of a window of rows that is not full yet: behind the last one. */
  readonly endMs: number;
  readonly counts: readonly WindowCount[];
  /** What is stored of it; undefined before its first evaluation. */
  readonly known: WindowFacts | undefined;
  /** Of a window of rows: whether it has all of them. undefined: it ends by time. */
  readonly isWhole: boolean | undefined;
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

/** Windows that hold an hour's first moment up to another's, by start: those with predictions. */
export async function countRange(
  store: MetadataStore,
  key: EndpointKey,
  range: {
    readonly size: WindowSize;
    readonly shape: TimeWindows;
    readonly fromMs?: number | undefined;
    readonly toMs?: number | undefined;
  },
): Promise<readonly CountedWindow[]> {
  const { shape, fromMs, toMs } = range;
  return countStarts(store, key, {
    ...range,
    fromMs: fromMs === undefined ? undefined : firstStart(shape, fromMs),
    toMs: toMs === undefined ? undefined : lastStart(shape, toMs),
  });
}

/** The window that starts at a time; undefined when it has no predictions. */
export async function countStart(
  store: MetadataStore,
  key: EndpointKey,
  of: { readonly size: WindowSize; readonly shape: TimeWindows; readonly startMs: number },
): Promise<CountedWindow | undefined> {
  return (await countStarts(store, key, { ...of, fromMs: of.startMs, toMs: of.startMs }))[0];
}

/** Windows that start in a range, both ends included. */
async function countStarts(
  store: MetadataStore,
  key: EndpointKey,
  {
    size,
    shape,
    fromMs,
    toMs,
  }: {
    readonly size: WindowSize;
    readonly shape: TimeWindows;
    readonly fromMs: number | undefined;
    readonly toMs: number | undefined;
  },
): Promise<readonly CountedWindow[]> {
  const { lengthMs, everyMs } = shape;
  const starts = {
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs: toMs + 1 }),
  };
  const known = new Map(
    (await store.read((transaction) => listWindowFacts(transaction, { ...key, size, ...starts }))).map((window) => [
      window.startMs,
      window,
    ]),
  );
  // Counted by the steps in which windows follow each other: each step is part of every window that holds it.
  const steps = await store.read((transaction) =>
    countWindows(transaction, {
      ...key,
      originMs: lastStart(shape, 0),
      lengthMs: everyMs,
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(toMs === undefined ? {} : { toMs: toMs + lengthMs }),
    }),
  );
  const windows = new Map<number, Map<string, WindowCount>>();
  for (const step of steps)
    for (let startMs = step.startMs; startMs > step.startMs - lengthMs; startMs -= everyMs) {
      if (startMs < (fromMs ?? -Infinity) || startMs > (toMs ?? Infinity)) continue;
      const counts = windows.get(startMs) ?? new Map<string, WindowCount>();
      counts.set(step.modelVersionId, addCounts(counts.get(step.modelVersionId), { ...step, startMs }));
      windows.set(startMs, counts);
    }
  return [...windows]
    .sort(([left], [right]) => left - right)
    .map(([startMs, counts]) => ({
      startMs,
      endMs: startMs + lengthMs,
      counts: [...counts.values()],
      known: known.get(startMs),
      isWhole: undefined,
    }));
}

/** Two counts of one version as one, with the start of the second. */
export function addCounts(left: WindowCount | undefined, right: WindowCount): WindowCount {
  if (left === undefined) return right;
  return {
    ...right,
    predictions: left.predictions + right.predictions,
    labelled: left.labelled + right.labelled,
    corrections: left.corrections + right.corrections,
    receivedAtMs: Math.max(left.receivedAtMs, right.receivedAtMs),
  };
}

/** The windows that some hours fall into, and those whose time to be looked at again has come; by start. */
export async function* countChanged(
  store: MetadataStore,
  key: EndpointKey,
  facts: {
    readonly size: WindowSize;
    readonly shape: TimeWindows;
    readonly hours: readonly number[];
    readonly memory: WatchMemory;
    readonly nowMs: number;
  },
): AsyncGenerator<CountedWindow> {
  const { size, shape, hours, memory, nowMs } = facts;
  const waiting = memory.waiting.get(size) ?? new Map<number, number>();
  const due = [...waiting].flatMap(([startMs, notBeforeMs]) => (notBeforeMs <= nowMs ? [startMs] : []));
  const changed = new Set(due);
  for (const hourMs of hours)
    for (let startMs = firstStart(shape, hourMs); startMs <= hourMs; startMs += shape.everyMs) changed.add(startMs);
  for (const startMs of [...changed].sort((left, right) => left - right)) {
    const window = await countStart(store, key, { size, shape, startMs });
    if (window !== undefined) yield window;
    // Lets requests be answered between windows.
    await new Promise(setImmediate);
  }
}
