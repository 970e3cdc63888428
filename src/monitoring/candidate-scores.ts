import type { MonitorWindow } from "#metadata-store/monitoring";
import { type EndpointKey, listPredictionTotals, type PredictionTotal } from "#metadata-store/serving";
import { type EvaluationOptions, scoreWindow } from "./evaluation.ts";
import { judgeWindow } from "./judge.ts";
import { type MonitorSet, readMonitorSets } from "./monitor-set.ts";

/** Rows of a candidate are looked at again at most this often. */
const REFRESH_MS = 60_000;
const MOST_KNOWN = 1000;

interface Known {
  readonly revision: number;
  readonly atMs: number;
  readonly broken: readonly string[];
}

/**
 * Monitors that the rows of one version break which it answered as a candidate: those of all windows together, for a
 * trial is shorter than a window. They stand in no window, and open no alert: another version answers.
 */
export type CandidateScores = (key: EndpointKey, versionId: string) => Promise<readonly string[]>;

export function createCandidateScores(options: EvaluationOptions): CandidateScores {
  const { store, clock } = options;
  const known = new Map<string, Known>();
  return async (key, versionId) => {
    const totals = await store.read((transaction) => listPredictionTotals(transaction, key));
    const total = totals.find(({ arm, modelVersionId }) => arm === "candidate" && modelVersionId === versionId);
    if (total === undefined) return [];
    const name = JSON.stringify([key.project, key.environment, key.endpoint, versionId]);
    const before = known.get(name);
    const nowMs = clock.now();
    if (before !== undefined && (before.revision === total.revision || nowMs - before.atMs < REFRESH_MS))
      return before.broken;
    const broken: string[] = [];
    for (const set of await readMonitorSets(store, key)) broken.push(...(await brokenOf(set, { key, total }, options)));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(name, { revision: total.revision, atMs: nowMs, broken });
    return broken;
  };
}

async function brokenOf(
  set: MonitorSet,
  { key, total }: { readonly key: EndpointKey; readonly total: PredictionTotal },
  options: EvaluationOptions,
): Promise<readonly string[]> {
  const { predictions, labelled, corrections, modelVersionId } = total;
  if (predictions < set.min_rows) return [];
  const [startMs, endMs] = [total.firstAtMs, total.lastAtMs + 1];
  const range = { fromMs: startMs, toMs: endMs, modelVersionId, ofCandidate: true };
  const { scores, referenceVersionId } = await scoreWindow(set, range, key, options);
  const window: MonitorWindow = {
    size: set.window,
    startMs,
    endMs,
    predictions,
    labelled,
    corrections,
    versions: { [modelVersionId]: predictions },
    closed: true,
    evaluatedAtMs: options.clock.now(),
    referenceVersionId,
    scores,
  };
  return set.monitors
    .filter(({ rule }) => judgeWindow(rule, window, set).some(({ breached }) => breached))
    .map(({ name }) => name);
}
