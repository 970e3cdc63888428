import type { MetadataStore } from "#metadata-store";
import { listWindowFacts, type WindowFacts } from "#metadata-store/monitoring";
import type { EndpointKey, PredictionTotal, ScannedPrediction, WindowCount } from "#metadata-store/serving";
import type { Predictions } from "#predictions";
import { addCounts, type CountedWindow } from "./changed-windows.ts";
import type { WindowSize } from "./monitor-file.ts";
import type { RowWindows } from "./window-time.ts";

const HOUR_MS = 3_600_000;

interface RowSources {
  readonly store: MetadataStore;
  readonly predictions: Pick<Predictions, "scan">;
}

type Span = Pick<CountedWindow, "startMs" | "endMs">;

interface RowLookup {
  readonly size: WindowSize;
  readonly shape: RowWindows;
  /** Full windows outside of these hours did not change; undefined: any may have. */
  readonly hours: ReadonlySet<number> | undefined;
  readonly totals: readonly PredictionTotal[];
}

/**
 * Windows of rows that are new, still filling or changed.
 *
 * A window is a range of event times that held so many predictions when it was cut; it is never cut again. What comes
 * late falls into the window that holds its time, which then has more. Rows of one millisecond stay together. Windows
 * that overlap share their ends, and are shown when they are full.
 *
 * The log is read behind the last full window. Full ones are counted again only where the counters of the endpoint say
 * that something came that is not behind them.
 */
export async function* countRowWindows(
  sources: RowSources,
  key: EndpointKey,
  { size, shape, hours, totals }: RowLookup,
): AsyncGenerator<CountedWindow> {
  const facts = await sources.store.read((transaction) => listWindowFacts(transaction, { ...key, size }));
  const known = facts.filter(({ closed }) => closed);
  const full: Span[] = [...known];
  const untilMs = totals.reduce((latest, { lastAtMs }) => Math.max(latest, lastAtMs), 0) + 1;
  const fromMs = full.at(-1)?.endMs ?? facts[0]?.startMs ?? earliest(totals);
  const overlapping = shape.rows / shape.every;
  let behind = noCount();
  for await (const window of cutWindows(sources, key, { shape, full, fromMs, untilMs })) {
    behind = plus(behind, window.added);
    if (window.isWhole || overlapping === 1)
      yield { ...window, known: facts.find(({ startMs }) => startMs === window.startMs) };
  }
  if (await isAccountedFor(sources, key, { known, behind, overlapping, totals })) return;
  const changed = known.filter((window) => hours === undefined || touches(window, hours));
  yield* countAgain(sources, key, changed);
}

/** Windows of full ones as they are now. What retention removed does not change what was judged. */
async function* countAgain(
  sources: RowSources,
  key: EndpointKey,
  full: readonly WindowFacts[],
): AsyncGenerator<CountedWindow> {
  for (const { counts, ...span } of await countSpans(sources, key, full)) {
    const known = full.find(({ startMs }) => startMs === span.startMs);
    if (sumOf(counts).predictions >= (known?.predictions ?? 0)) yield { ...span, counts, known, isWhole: true };
  }
}

type Cut = Step & {
  /** What of it no window before it has. */
  readonly added: Count;
};

/** Windows behind the full ones, which grow by them; the last one, or what is there of it, has too few rows. */
async function* cutWindows(
  sources: RowSources,
  key: EndpointKey,
  {
    shape,
    full,
    fromMs,
    untilMs,
  }: {
    readonly shape: RowWindows;
    readonly full: Span[];
    readonly fromMs: number;
    readonly untilMs: number;
  },
): AsyncGenerator<Cut> {
  const overlapping = shape.rows / shape.every;
  let steps = 0;
  for await (const step of cutSteps(sources, key, { fromMs, untilMs, rows: shape.every })) {
    const added = sumOf(step.counts);
    steps++;
    if (!step.isWhole || (full.length === 0 && steps < overlapping)) {
      yield { ...step, isWhole: false, added };
      continue;
    }
    const startMs = overlapping === 1 ? step.startMs : await startAfter(sources, key, { full, fromMs, shape });
    const span = { startMs, endMs: step.endMs };
    const counts = overlapping === 1 ? step.counts : ((await countSpans(sources, key, [span]))[0]?.counts ?? []);
    full.push(span);
    yield { ...span, counts, isWhole: true, added };
  }
}

/** When the last prediction of a time range was received, epoch ms. */
export async function lastReceived(sources: RowSources, key: EndpointKey, span: Span): Promise<number> {
  const [found] = await countSpans(sources, key, [span]);
  return found?.counts.reduce((latest, { receivedAtMs }) => Math.max(latest, receivedAtMs), 0) ?? 0;
}

type Count = Pick<WindowCount, "predictions" | "labelled" | "corrections">;

function noCount(): Count {
  return { predictions: 0, labelled: 0, corrections: 0 };
}

function plus(left: Count, right: Count): Count {
  return {
    predictions: left.predictions + right.predictions,
    labelled: left.labelled + right.labelled,
    corrections: left.corrections + right.corrections,
  };
}

function sumOf(counts: readonly Count[]): Count {
  return counts.reduce(plus, noCount());
}

function earliest(totals: readonly PredictionTotal[]): number {
  return totals.reduce((first, { firstAtMs }) => Math.min(first, firstAtMs), Infinity);
}

function touches({ startMs, endMs }: Span, hours: ReadonlySet<number>): boolean {
  return [...hours].some((hourMs) => hourMs < endMs && hourMs + HOUR_MS > startMs);
}

/** Start of the window after the last full one: where an earlier one ended, so that both share the cut. */
async function startAfter(
  sources: RowSources,
  key: EndpointKey,
  { full, fromMs, shape }: { readonly full: readonly Span[]; readonly fromMs: number; readonly shape: RowWindows },
): Promise<number> {
  const last = full.at(-1);
  if (last === undefined) return fromMs;
  const shared = full[full.length - shape.rows / shape.every];
  if (shared !== undefined) return shared.endMs;
  const range = { fromMs: last.startMs, untilMs: last.endMs, rows: shape.every };
  for await (const step of cutSteps(sources, key, range)) return step.endMs;
  return last.endMs;
}

/** Whether all that was counted of the endpoint is in windows as they are stored, or behind them. */
async function isAccountedFor(
  sources: RowSources,
  key: EndpointKey,
  {
    known,
    behind,
    overlapping,
    totals,
  }: {
    readonly known: readonly WindowFacts[];
    readonly behind: Count;
    readonly overlapping: number;
    readonly totals: readonly PredictionTotal[];
  },
): Promise<boolean> {
  // Of windows that overlap, those back from the last that follow each other.
  const chain = known.filter((_, index) => (known.length - 1 - index) % overlapping === 0);
  const [first] = chain;
  if (first === undefined) return true;
  const before = { startMs: earliest(totals), endMs: first.startMs };
  const ahead = before.startMs < before.endMs ? await countSpans(sources, key, [before]) : [];
  const found = [sumOf(chain), behind, ...ahead.map(({ counts }) => sumOf(counts))].reduce(plus);
  const all = sumOf(totals);
  return (
    found.predictions === all.predictions && found.labelled === all.labelled && found.corrections === all.corrections
  );
}

type Tally = Map<string, WindowCount>;

function addRow(tally: Tally, startMs: number, row: ScannedPrediction): void {
  const { model_version_id: modelVersionId } = row;
  const isLabelled = row.label !== null || row.label_text !== null;
  tally.set(
    modelVersionId,
    addCounts(tally.get(modelVersionId), {
      startMs,
      modelVersionId,
      predictions: 1,
      labelled: isLabelled ? 1 : 0,
      corrections: row.label_corrections,
      receivedAtMs: row.received_at_ms,
    }),
  );
}

type Step = Omit<CountedWindow, "known">;

/** Cuts a time range every so many rows; the last step may have fewer. */
async function* cutSteps(
  { predictions }: RowSources,
  key: EndpointKey,
  { fromMs, untilMs, rows }: { readonly fromMs: number; readonly untilMs: number; readonly rows: number },
): AsyncGenerator<Step> {
  let [startMs, lastMs, count] = [fromMs, fromMs, 0];
  let tally: Tally = new Map();
  for await (const part of predictions.scan({ ...key, fromMs, toMs: untilMs })) {
    for (const row of part) {
      if (row.arm === "shadow") continue;
      if (count >= rows && row.at_ms > lastMs) {
        yield { startMs, endMs: lastMs + 1, counts: [...tally.values()], isWhole: true };
        [startMs, count, tally] = [lastMs + 1, 0, new Map()];
      }
      addRow(tally, startMs, row);
      count++;
      lastMs = row.at_ms;
    }
    await new Promise(setImmediate);
  }
  if (count > 0) yield { startMs, endMs: lastMs + 1, counts: [...tally.values()], isWhole: count >= rows };
}

/** Counts time ranges; those that touch each other are read once. */
async function countSpans(
  sources: RowSources,
  key: EndpointKey,
  spans: readonly Span[],
): Promise<readonly (Span & { readonly counts: readonly WindowCount[] })[]> {
  const counted: (Span & { readonly counts: readonly WindowCount[] })[] = [];
  for (const group of touching(spans)) {
    const cuts = [...new Set(group.flatMap(({ startMs, endMs }) => [startMs, endMs]))].sort(
      (left, right) => left - right,
    );
    const between = await countBetween(sources, key, cuts);
    for (const { startMs, endMs } of group) {
      const own: Tally = new Map();
      cuts.forEach((cutMs, index) => {
        if (cutMs < startMs || cutMs >= endMs) return;
        for (const count of between[index]?.values() ?? [])
          own.set(count.modelVersionId, addCounts(own.get(count.modelVersionId), { ...count, startMs }));
      });
      counted.push({ startMs, endMs, counts: [...own.values()] });
    }
  }
  return counted;
}

function touching(spans: readonly Span[]): readonly (readonly Span[])[] {
  const groups: Span[][] = [];
  let endMs = -Infinity;
  for (const span of spans.toSorted((left, right) => left.startMs - right.startMs)) {
    if (span.startMs > endMs) groups.push([]);
    groups.at(-1)?.push(span);
    endMs = Math.max(endMs, span.endMs);
  }
  return groups;
}

/** Counts from each cut to the next. */
async function countBetween(
  { predictions }: RowSources,
  key: EndpointKey,
  cuts: readonly number[],
): Promise<readonly Tally[]> {
  const tallies = cuts.map((): Tally => new Map());
  const [fromMs = 0, toMs = 0] = [cuts[0], cuts.at(-1)];
  let place = 0;
  for await (const part of predictions.scan({ ...key, fromMs, toMs })) {
    for (const row of part) {
      if (row.arm === "shadow") continue;
      while ((cuts[place + 1] ?? Infinity) <= row.at_ms) place++;
      const tally = tallies[place];
      if (tally !== undefined) addRow(tally, cuts[place] ?? 0, row);
    }
    await new Promise(setImmediate);
  }
  return tallies;
}
