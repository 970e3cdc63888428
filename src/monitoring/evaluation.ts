import { type Clock, isEsteiraError, type Log, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import { type Alert, type MonitorScore, type MonitorWindow, saveWindow } from "#metadata-store/monitoring";
import { type EndpointKey, listPredictionTotals, type PredictionTotal } from "#metadata-store/serving";
import type { Predictions } from "#predictions";
import type { DatasetReader } from "#models";
import {
  type CountedWindow,
  countChanged,
  countRange,
  findChangedHours,
  hoursBetween,
  lookAgain,
  remember,
  REFRESH_MS,
  takeRowLook,
  type WatchMemory,
} from "./changed-windows.ts";
import type { DriftMethod } from "./drift-method.ts";
import { explainWindow } from "./explain-window.ts";
import { judgeWindow } from "./judge.ts";
import { countRowWindows } from "./row-windows.ts";
import { isSameSeries, judge } from "./judge-window.ts";
import { type MonitorSet, readMonitorSets, unknownColumns } from "./monitor-set.ts";
import { referenceMissing } from "./errors.ts";
import type { Reference, References } from "./reference.ts";
import { withoutRedacted } from "./redacted-inputs.ts";
import { type OfflineFeatures, openSkewCheck } from "./skew-scores.ts";
import { parseValueExpression } from "./value-expression.ts";
import { readWindow, type WindowRows } from "./window-rows.ts";
import { computeScores } from "./window-scores.ts";
import { windowShape } from "./window-time.ts";

/** What to evaluate. */
export interface EvaluationRequest extends EndpointKey {
  /** Only windows that touch this event time, epoch ms; default: all that may have changed. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /**
   * The caller knows that no more predictions with an earlier event time will come: windows that end by then are
   * judged. Epoch ms.
   */
  readonly untilMs?: number | undefined;
  /** Compute every window that changed, however recently it was computed; default: at most once a minute each. */
  readonly immediate?: boolean | undefined;
}

/** What an evaluation did. */
export interface EvaluationReport {
  /** Windows that were computed. */
  readonly windows: number;
  /** Alerts that were opened, with the pipeline runs they started. */
  readonly opened: readonly Alert[];
  readonly closed: number;
}

export interface EvaluationOptions {
  readonly store: MetadataStore;
  readonly predictions: Pick<Predictions, "scan">;
  /** What training would have got; undefined: no online values are compared. */
  readonly offline: OfflineFeatures | undefined;
  /** Columns of datasets, for what changed upstream. */
  readonly datasets: DatasetReader;
  readonly references: References;
  /** Routes that are told where a file has no `notify`. */
  readonly routes: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** A window without traffic for this long, whose end lies behind, gets no more predictions. */
const QUIET_MS = 3_600_000;
/** An open window is computed again only when that took less than this share of the time since it was computed last. */
const LARGEST_SHARE = 0.02;

/**
 * Computes the windows of an endpoint that changed, saves them and judges those that are closed: a breach opens an
 * alert and fires its trigger in the transaction that saves the window, once per window.
 *
 * @param memory of earlier looks: only what changed since is looked at, and it is brought up to date. A window that
 *   fails keeps no other one waiting.
 */
export async function evaluateEndpoint(
  request: EvaluationRequest,
  options: EvaluationOptions,
  memory?: WatchMemory,
): Promise<EvaluationReport> {
  const { store } = options;
  const key = keyOf(request);
  const totals = await store.read((transaction) => listPredictionTotals(transaction, key));
  if (totals.length === 0) return { windows: 0, opened: [], closed: 0 };
  const sets = await readMonitorSets(store, request);
  const hours = memory === undefined ? undefined : await findChangedHours(store, key, { totals, sets, memory });
  if (memory !== undefined && hours === undefined) [memory.waiting, memory.rows] = [new Map(), new Map()];
  const lastMs = totals.reduce((latest, total) => Math.max(latest, total.lastAtMs), request.untilMs ?? 0);
  const looked: Looked = { reports: [], failures: [] };
  for (const set of sets) await lookAtSet({ set, totals, hours, memory, lastMs, request }, options, looked);
  if (memory !== undefined) remember(memory, totals, sets);
  const { reports, failures } = looked;
  if (failures.length > 0) throw failures[0];
  return {
    windows: reports.length,
    opened: reports.flatMap((report) => report.opened),
    closed: reports.reduce((sum, report) => sum + report.closed, 0),
  };
}

interface Looked {
  readonly reports: EvaluationReport[];
  readonly failures: unknown[];
}

interface Look {
  readonly set: MonitorSet;
  readonly totals: readonly PredictionTotal[];
  /** Hours that changed since the last look; undefined: all windows of the request are looked at. */
  readonly hours: readonly number[] | undefined;
  readonly memory: WatchMemory | undefined;
  readonly lastMs: number;
  readonly request: EvaluationRequest;
}

async function lookAtSet(look: Look, options: EvaluationOptions, looked: Looked): Promise<void> {
  const { set, memory, lastMs, request } = look;
  const { clock } = options;
  const key = keyOf(request);
  const waiting = memory?.waiting.get(set.window) ?? new Map<number, number>();
  memory?.waiting.set(set.window, waiting);
  for await (const window of await windowsOf(look, options)) {
    const failures = looked.failures.length;
    const { report, againAtMs } = await evaluateWindow(
      { set, window, lastMs, immediate: request.immediate === true },
      key,
      options,
    ).catch((error: unknown): Evaluated => {
      if (memory === undefined) throw error;
      looked.failures.push(error);
      return { report: undefined, againAtMs: clock.now() + REFRESH_MS };
    });
    if (report !== undefined) looked.reports.push(report);
    if (window.isWhole !== undefined) {
      const hasFailed = looked.failures.length > failures;
      const hours = hasFailed ? memory?.rows.get(set.window)?.taken : hoursBetween(window.startMs, window.endMs);
      if (againAtMs !== undefined) lookAgain(memory, set.window, { hours, atMs: againAtMs });
      // The next ones follow from where this one is stored to end.
      if (hasFailed) return;
    } else if (againAtMs === undefined) waiting.delete(window.startMs);
    else waiting.set(window.startMs, againAtMs);
  }
}

/** Windows of a set that may have changed. */
async function windowsOf(
  { set, totals, hours, memory, request }: Look,
  { store, clock, predictions }: EvaluationOptions,
): Promise<readonly CountedWindow[] | AsyncGenerator<CountedWindow>> {
  const key = keyOf(request);
  const size = set.window;
  const shape = windowShape(size);
  const { fromMs, toMs } = request;
  if (shape.kind === "time")
    return memory === undefined || hours === undefined
      ? countRange(store, key, { size, shape, fromMs, toMs })
      : countChanged(store, key, { size, shape, hours, memory, nowMs: clock.now() });
  if (memory === undefined) {
    // Reads the log: after labels came, the next tick does it.
    if (request.immediate !== true) return [];
    const hours = hoursBetween(fromMs ?? -Infinity, toMs ?? Infinity);
    return countRowWindows({ store, predictions }, key, { size, shape, totals, hours });
  }
  const changed = takeRowLook({ memory, size, hours, nowMs: clock.now() });
  return changed === "none"
    ? []
    : countRowWindows({ store, predictions }, key, { size, shape, totals, hours: changed });
}

interface Candidate {
  readonly set: MonitorSet;
  readonly window: CountedWindow;
  /** Latest event time seen. */
  readonly lastMs: number;
  readonly immediate: boolean;
}

interface Evaluated {
  /** undefined: nothing was computed. */
  readonly report: EvaluationReport | undefined;
  /**
   * When it has to be looked at again though nothing is counted meanwhile, epoch ms; undefined for a window that is
   * settled.
   */
  readonly againAtMs: number | undefined;
}

async function evaluateWindow(
  { set, window: counted, lastMs, immediate }: Candidate,
  key: EndpointKey,
  options: EvaluationOptions,
): Promise<Evaluated> {
  const { store, clock } = options;
  const { startMs, endMs, counts, known } = counted;
  const sum = (name: "predictions" | "labelled" | "corrections"): number =>
    counts.reduce((total, count) => total + count[name], 0);
  const [predictions, labelled, corrections] = [sum("predictions"), sum("labelled"), sum("corrections")];
  if (predictions === 0) return { report: undefined, againAtMs: undefined };
  const nowMs = clock.now();
  const closed = counted.isWhole ?? isClosed({ counts, known, endMs, lastMs, nowMs });
  const facts = {
    size: set.window,
    startMs,
    endMs,
    predictions,
    labelled,
    corrections,
    versions: Object.fromEntries(counts.map((count) => [count.modelVersionId, count.predictions])),
    closed,
    evaluatedAtMs: nowMs,
  };
  const settled = settle(facts, { counted, immediate });
  if (settled !== undefined) return { report: undefined, againAtMs: settled.againAtMs };
  const main = counts.reduce((largest, count) => (count.predictions > largest.predictions ? count : largest));
  const { scores, referenceVersionId, compared } = await scoreWindow(
    set,
    { fromMs: startMs, toMs: endMs, modelVersionId: main.modelVersionId },
    key,
    options,
  );
  const window = withThresholds({ ...facts, referenceVersionId, scores }, set);
  const receivedAtMs = counts.reduce((latest, count) => Math.max(latest, count.receivedAtMs), 0);
  const explanations =
    closed && compared !== undefined
      ? await explainWindow({ set, key: keyOf(key), receivedAtMs, window, ...compared }, options)
      : undefined;
  const report = await store.write(async (transaction) => {
    await saveWindow(transaction, keyOf(key), window);
    return closed
      ? judge(transaction, { set, window, key: keyOf(key), atMs: nowMs, explanations, routes: options.routes })
      : { windows: 1, opened: [], closed: 0 };
  });
  return { report, againAtMs: closed ? undefined : nowMs + (clock.now() - nowMs) / LARGEST_SHARE };
}

/** Says that a window is not computed now, and when it is looked at again; undefined: it is. */
function settle(
  now: Pick<MonitorWindow, "size" | "predictions" | "labelled" | "corrections" | "closed" | "evaluatedAtMs">,
  { counted: { known, isWhole }, immediate }: { readonly counted: CountedWindow; readonly immediate: boolean },
): Pick<Evaluated, "againAtMs"> | undefined {
  const { closed, evaluatedAtMs: nowMs } = now;
  // Of those that overlap many are open at once.
  if (!closed && isOverlapping(now.size)) return { againAtMs: nowMs + REFRESH_MS };
  const unchanged =
    known?.predictions === now.predictions &&
    known.labelled === now.labelled &&
    known.corrections === now.corrections &&
    known.closed === closed;
  if (unchanged) return { againAtMs: closed || isWhole !== undefined ? undefined : nowMs };
  const fresh = known !== undefined && known.closed === closed && nowMs - known.evaluatedAtMs < REFRESH_MS;
  return fresh && !immediate ? { againAtMs: known.evaluatedAtMs + REFRESH_MS } : undefined;
}

function isClosed({
  counts,
  known,
  endMs,
  lastMs,
  nowMs,
}: Pick<CountedWindow, "counts" | "known"> & {
  readonly endMs: number;
  readonly lastMs: number;
  readonly nowMs: number;
}): boolean {
  const lastReceivedMs = counts.reduce((latest, count) => Math.max(latest, count.receivedAtMs), 0);
  // Once closed, it stays so: whoever closed it may have known more.
  return known?.closed === true || lastMs >= endMs || (nowMs >= endMs && nowMs - lastReceivedMs > QUIET_MS);
}

function isOverlapping(size: string): boolean {
  const shape = windowShape(size);
  return shape.kind === "time" && shape.everyMs < shape.lengthMs;
}

/** A model without training data in its record is still counted, but has nothing to be compared with. */
export async function scoreWindow(
  set: MonitorSet,
  range: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly modelVersionId: string;
    readonly ofCandidate?: boolean;
  },
  key: EndpointKey,
  options: EvaluationOptions,
): Promise<{
  readonly scores: readonly MonitorScore[];
  readonly referenceVersionId: string | undefined;
  /** Both sides; undefined where there is no reference. */
  readonly compared: { readonly rows: WindowRows; readonly reference: Reference } | undefined;
}> {
  const { predictions, references, log } = options;
  let reference: Reference;
  try {
    reference = await references.get(range.modelVersionId, {
      rows: set.reference,
      segments: set.segments,
      minRows: set.min_rows,
      spreadOf: methodsWithDeviations(set),
      keep: keptFor(set),
    });
  } catch (error) {
    // What may be there the next time must not settle the window without a figure.
    if (!isEsteiraError(error, referenceMissing.code)) throw error;
    log.warn("a window has no reference", {
      endpoint: key.endpoint,
      model: range.modelVersionId,
      error: messageOf(error),
    });
    return { scores: [], referenceVersionId: undefined, compared: undefined };
  }
  for (const monitor of set.monitors) {
    for (const { column, nearest } of unknownColumns(
      monitor.rule,
      reference.model.inputs.map((input) => input.name),
      set.segments,
    )) {
      log.warn("a monitor names a column that the model does not have", { monitor: monitor.name, column, nearest });
    }
  }
  reference = await withoutRedacted(options.store, keyOf(key), reference);
  const skew = await openSkewCheck(
    key,
    { rules: set.monitors.map(({ rule }) => rule), model: reference.model },
    options,
  );
  const rows = await readWindow(
    predictions,
    keyOf(key),
    { ...range, segments: columnsFor(set, reference.model), see: (row) => skew?.see(row) },
    reference.model,
  );
  const scores = [
    ...(await computeScores(rows, reference, {
      minRows: set.min_rows,
      segments: set.segments,
      rules: set.monitors.map((monitor) => monitor.rule),
    })),
  ];
  if (skew !== undefined) scores.push(...(await skew.scores()));
  return { scores, referenceVersionId: reference.version.id, compared: { rows, reference } };
}

/** Distances whose thresholds follow from chunks of the reference, in a fixed order. */
function methodsWithDeviations({ monitors }: MonitorSet): readonly DriftMethod[] {
  const asked = monitors.flatMap(({ rule }) => {
    const own = "drift" in rule ? rule.drift : "prediction_drift" in rule ? rule.prediction_drift : {};
    return own.deviations === undefined || own.method === undefined ? [] : [own.method];
  });
  return [...new Set(asked)].sort();
}

/** What of a reference the rules look at. */
function keptFor({ monitors, segments }: MonitorSet): readonly ("held" | "rows" | "segments")[] {
  const rules = monitors.map(({ rule }) => rule);
  const kept = {
    held: rules.some((rule) => "slices" in rule),
    rows: rules.some((rule) => "multivariate" in rule),
    // Also for the alert that says in which of them a column moved.
    segments: segments.length > 0 && rules.some((rule) => "drift" in rule),
  };
  return (["held", "rows", "segments"] as const).filter((name) => kept[name]);
}

/** Columns that are read beside the inputs, and with the labels. */
function columnsFor({ monitors, segments }: MonitorSet, model: Reference["model"]): readonly string[] {
  const asked = monitors.flatMap(({ rule }) => {
    if ("fairness" in rule) return rule.fairness.attributes;
    if ("slices" in rule) return model.inputs.map(({ name }) => name);
    return "value" in rule ? namesOf(rule.value.expression) : [];
  });
  return [...new Set([...segments, ...asked])];
}

function namesOf(expression: string): readonly string[] {
  return parseValueExpression(expression).names.filter((name) => name !== "label" && name !== "prediction");
}

/** Marks each score that a monitor watches with the monitor's threshold and verdict. */
function withThresholds(window: MonitorWindow, set: MonitorSet): MonitorWindow {
  const judgements = set.monitors.flatMap((monitor) => judgeWindow(monitor.rule, window, set));
  const scores = window.scores.map((score) => {
    const own = judgements.filter((judgement) => isSameSeries(score, judgement));
    const judgement = own.find((one) => one.breached) ?? own[0];
    return judgement === undefined ? score : { ...score, threshold: judgement.threshold, breached: judgement.breached };
  });
  const added = judgements.filter((judgement) => !window.scores.some((score) => isSameSeries(score, judgement)));
  return {
    ...window,
    scores: [
      ...scores,
      ...added.map(({ message, side: _side, ...judgement }) => ({
        ...judgement,
        baseline: undefined,
        nReference: undefined,
        method: { message },
      })),
    ],
  };
}

function keyOf({ project, environment, endpoint }: EndpointKey): EndpointKey {
  return { project, environment, endpoint };
}
