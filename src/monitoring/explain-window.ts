import type { AlertCause, AlertExplanation } from "#api";
import { type Log, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import { isAlertKnown, listWindows, type MonitorWindow } from "#metadata-store/monitoring";
import type { EndpointKey } from "#metadata-store/serving";
import type { DatasetReader } from "#models";
import type { Predictions } from "#predictions";
import { beganAt } from "./began-at.ts";
import { countStart } from "./changed-windows.ts";
import { adviseOn, explainColumns, type ExplainedWindow, explainSegments } from "./explain-breach.ts";
import { formatExplanation } from "./explanation.ts";
import { isSameSeries, nameOfBreach } from "./judge-window.ts";
import { type Judgement, judgeWindow } from "./judge.ts";
import type { Monitor, MonitorSet } from "./monitor-set.ts";
import { lastReceived } from "./row-windows.ts";
import { findUpstreamChanges } from "./upstream-changes.ts";
import { segmentDrift } from "./window-scores.ts";
import { windowShape } from "./window-time.ts";

/** Windows that are looked back through for the last good one. */
const LOOKED_BACK = 30;
/** Breaches of one window that are explained: beyond them a window broke as a whole. */
const MOST_EXPLAINED = 50;

interface Explaining extends ExplainedWindow {
  readonly set: MonitorSet;
  readonly key: EndpointKey;
  /** When the last prediction of the window was received, epoch ms. */
  readonly receivedAtMs: number;
}

interface Sources {
  readonly store: MetadataStore;
  readonly predictions: Pick<Predictions, "scan">;
  readonly datasets: DatasetReader;
  readonly log: Log;
}

/**
 * Why each breach of a window happened that no open alert tells already, as it is stored, by the name of the breach.
 *
 * Never fails: an alert opens without an explanation rather than not at all.
 */
export async function explainWindow(explaining: Explaining, sources: Sources): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const changes = new Map<string, Promise<readonly AlertCause[]>>();
  const breaches = await newBreaches(explaining, sources.store);
  if (breaches.length === 0) return found;
  const drawn = await withSegments(explaining, breaches);
  const earlier = await sources.store.read((transaction) =>
    listWindows(transaction, {
      ...explaining.key,
      size: explaining.set.window,
      toMs: explaining.window.startMs,
      limit: LOOKED_BACK,
    }),
  );
  for (const { monitor, judgement } of breaches) {
    try {
      const explanation = await explain({ monitor, judgement, earlier, changes }, drawn, sources);
      found.set(nameOfBreach(monitor.name, judgement), formatExplanation(explanation));
    } catch (error) {
      sources.log.warn("an alert could not be explained", { monitor: monitor.name, error: messageOf(error) });
    }
    await new Promise(setImmediate);
  }
  return found;
}

interface Breach {
  readonly monitor: Monitor;
  readonly judgement: Judgement;
}

async function newBreaches({ set, window, key }: Explaining, store: MetadataStore): Promise<readonly Breach[]> {
  const breaches = set.monitors.flatMap((monitor) =>
    judgeWindow(monitor.rule, window, set)
      .filter(({ breached }) => breached)
      .map((judgement) => ({ monitor, judgement })),
  );
  const fresh: Breach[] = [];
  for (const breach of breaches) {
    const { metric, subject, segment } = breach.judgement;
    const series = {
      ...key,
      monitor: breach.monitor.name,
      metric,
      subject,
      segment,
      windowStartMs: window.startMs,
      modelVersionId: window.referenceVersionId,
    };
    if (!(await store.read((transaction) => isAlertKnown(transaction, series)))) fresh.push(breach);
    if (fresh.length === MOST_EXPLAINED) break;
  }
  return fresh;
}

/** Says in which segments a column moved, also where no monitor watches them. */
async function withSegments(explaining: Explaining, breaches: readonly Breach[]): Promise<Explaining> {
  const { set, window, rows, reference } = explaining;
  const columns = new Set(
    breaches.flatMap(({ judgement }) =>
      judgement.metric.startsWith("drift.") && judgement.segment === "" ? [judgement.subject] : [],
    ),
  );
  const isWatched = set.monitors.some(({ rule }) => "drift" in rule && rule.drift.segments === true);
  if (columns.size === 0 || isWatched || set.segments.length === 0) return explaining;
  const scores = [...window.scores];
  const request = { minRows: set.min_rows, segments: set.segments, rules: [], columns };
  for await (const some of segmentDrift(rows, reference, request)) scores.push(...some);
  return { ...explaining, window: { ...window, scores } };
}

interface Explained extends Breach {
  readonly earlier: readonly MonitorWindow[];
  /** By the windows between which something changed. */
  readonly changes: Map<string, Promise<readonly AlertCause[]>>;
}

async function explain(
  { monitor, judgement, earlier, changes }: Explained,
  explaining: Explaining,
  sources: Sources,
): Promise<AlertExplanation> {
  const { set, window, rows, reference } = explaining;
  const { first, count, good } = lookBack(monitor, judgement, { set, window, earlier });
  const columns = explainColumns(judgement, explaining);
  const segments = explainSegments(judgement, window);
  const names = columns.map(({ column }) => column);
  const name = JSON.stringify([first.startMs, good?.window.startMs, names]);
  const causes = await (changes.get(name) ?? changesBetween({ first, good: good?.window, names }, explaining, sources));
  changes.set(name, Promise.resolve(causes));
  return {
    since: {
      windowStartMs: first.startMs,
      windows: count,
      atMs: first === window ? beganAt(judgement, rows, reference) : undefined,
      lastGoodStartMs: good?.window.startMs,
      lastGoodEndMs: good?.window.endMs,
      lastGoodValue: good?.value,
    },
    columns,
    segments,
    causes,
    advice: adviseOn(judgement, { causes, segments }),
  };
}

/** Back over the windows that breached too, to the newest that did not. Windows without a verdict are passed over. */
function lookBack(
  monitor: Monitor,
  judgement: Judgement,
  {
    set,
    window,
    earlier,
  }: { readonly set: MonitorSet; readonly window: MonitorWindow; readonly earlier: readonly MonitorWindow[] },
): {
  readonly first: MonitorWindow;
  readonly count: number;
  readonly good: { readonly window: MonitorWindow; readonly value: number } | undefined;
} {
  let [first, count] = [window, 1];
  for (const before of earlier.toReversed()) {
    const own = judgeWindow(monitor.rule, before, set).find((one) => isSameSeries(one, judgement));
    if (own === undefined) continue;
    if (!own.breached) return { first, count, good: { window: before, value: own.value } };
    [first, count] = [before, count + 1];
  }
  return { first, count, good: undefined };
}

async function changesBetween(
  {
    first,
    good,
    names,
  }: { readonly first: MonitorWindow; readonly good: MonitorWindow | undefined; readonly names: readonly string[] },
  { set, key, window, reference, receivedAtMs }: Explaining,
  sources: Sources,
): Promise<readonly AlertCause[]> {
  const receivedIn = async (one: MonitorWindow): Promise<number | undefined> => {
    const [size, shape] = [set.window, windowShape(set.window)];
    if (shape.kind === "rows") return lastReceived(sources, key, one);
    const found = await countStart(sources.store, key, { size, shape, startMs: one.startMs });
    return found?.counts.reduce((latest, count) => Math.max(latest, count.receivedAtMs), 0);
  };
  return findUpstreamChanges(
    key,
    {
      fromMs: (good === undefined ? undefined : await receivedIn(good)) ?? reference.version.madeAtMs,
      toMs: (first === window ? undefined : await receivedIn(first)) ?? receivedAtMs,
      goodVersionId: good?.referenceVersionId,
      badVersionId: first.referenceVersionId ?? reference.version.id,
      trainingSet: reference.dataset.asset,
    },
    names,
    sources,
  );
}
