import type { MetadataStore } from "#metadata-store";
import {
  getMovedLabels,
  getPrediction,
  getPredictionHistory,
  listMovedLabels,
  listPredictionHistories,
  listPredictions,
  listUnlabelledHours,
  type MovedLabel,
  type NewPrediction,
  type Prediction,
  type PredictionHistory,
  type PredictionQuery,
} from "#metadata-store/serving";
import type { HistoryReader, Position } from "./history.ts";

interface Parts {
  readonly store: MetadataStore;
  readonly history: HistoryReader;
}

const DEFAULT_LIMIT = 100;
const LARGEST_LIMIT = 1000;
const HOUR_MS = 3_600_000;
const HOURS_A_PAGE = 24;

/**
 * Predictions of an endpoint, newest event time first: those of the database and those that left it, each once.
 *
 * The database is asked before the version of the history: a row that left it in between is in both, none is in
 * neither.
 */
export async function listWhole(parts: Parts, query: PredictionQuery): Promise<readonly Prediction[]> {
  const { store } = parts;
  const limit = Math.min(query.limit ?? DEFAULT_LIMIT, LARGEST_LIMIT);
  const here = await store.read((transaction) => listPredictions(transaction, { ...query, limit }));
  const of = await store.read((transaction) => getPredictionHistory(transaction, query));
  if (of === undefined) return here;
  const asked = { ...query, limit };
  const moved =
    query.labelled === true
      ? await listLabelled(parts, of, asked)
      : query.labelled === false
        ? await listUnlabelled(parts, of, asked)
        : await withLabels(parts, of, await parts.history.listNewest(of, asked));
  const byId = new Map([...moved, ...here].map((each) => [each.id, each]));
  return [...byId.values()].sort(newestFirst).slice(0, limit);
}

function newestFirst(left: Prediction, right: Prediction): number {
  return right.atMs - left.atMs || (left.id < right.id ? 1 : -1);
}

/** @returns undefined when no prediction has this id */
export async function getWhole(parts: Parts, id: string): Promise<Prediction | undefined> {
  const { store, history } = parts;
  const here = await store.read((transaction) => getPrediction(transaction, id));
  if (here !== undefined) return here;
  for (const of of await store.read((transaction) => listPredictionHistories(transaction))) {
    if (of.deltaVersion < 0) continue;
    const [found] = await history.findByIds(of, [id]);
    if (found !== undefined) return (await withLabels(parts, of, [found]))[0];
  }
  return undefined;
}

type Asked = PredictionQuery & { readonly limit: number };

/** Labels of the history lie in the metadata store, and so does their order. */
async function listLabelled(parts: Parts, of: PredictionHistory, asked: Asked): Promise<readonly Prediction[]> {
  const found: Prediction[] = [];
  let { before } = asked;
  while (found.length < asked.limit) {
    const labels = await parts.store.read((transaction) => listMovedLabels(transaction, { ...asked, before }));
    const byId = new Map(labels.map((label) => [label.id, label]));
    const rows = await parts.history.findByIds(of, [...byId.keys()]);
    found.push(
      ...rows
        .filter(({ entityKey }) => asked.entityKey === undefined || entityKey === asked.entityKey)
        .map((row) => withLabel(row, byId.get(row.id)))
        .sort(newestFirst),
    );
    const last = labels.at(-1);
    if (last === undefined || labels.length < asked.limit) break;
    before = [Number(last.at_ms), last.id];
  }
  return found.slice(0, asked.limit);
}

/** Hours all of whose predictions have their label are passed over. */
async function listUnlabelled(parts: Parts, of: PredictionHistory, asked: Asked): Promise<readonly Prediction[]> {
  const found: Prediction[] = [];
  let untilMs = Math.min(asked.before?.[0] ?? Infinity, asked.toMs === undefined ? Infinity : asked.toMs - 1);
  for (;;) {
    const hours = await parts.store.read((transaction) =>
      listUnlabelledHours(transaction, {
        ...asked,
        untilMs: Number.isFinite(untilMs) ? untilMs : undefined,
        limit: HOURS_A_PAGE,
      }),
    );
    for (const hourMs of hours) {
      await addUnlabelled(parts, of, { ...asked, ...within(asked, hourMs) }, found);
      if (found.length >= asked.limit) return found;
    }
    const last = hours.at(-1);
    if (last === undefined || hours.length < HOURS_A_PAGE) return found;
    untilMs = last - 1;
  }
}

function within({ fromMs = -Infinity, toMs = Infinity }: Asked, hourMs: number): { fromMs: number; toMs: number } {
  return { fromMs: Math.max(fromMs, hourMs), toMs: Math.min(toMs, hourMs + HOUR_MS) };
}

async function addUnlabelled(parts: Parts, of: PredictionHistory, asked: Asked, found: Prediction[]): Promise<void> {
  let before: Position | undefined = asked.before;
  for (;;) {
    const rows = await parts.history.listNewest(of, { ...asked, before, limit: LARGEST_LIMIT });
    const known = await withLabels(parts, of, rows);
    found.push(...known.filter(({ labelReceivedAtMs }) => labelReceivedAtMs === undefined));
    const last = rows.at(-1);
    if (found.length >= asked.limit || last === undefined || rows.length < LARGEST_LIMIT) return;
    before = [last.atMs, last.id];
  }
}

/** Rows that are still in the database as well have their labels there. */
async function withLabels(
  { store }: Parts,
  of: PredictionHistory,
  rows: readonly NewPrediction[],
): Promise<readonly Prediction[]> {
  const ids = rows.map(({ id }) => id);
  const here = new Map<string, Prediction>();
  if (of.clearedVersion < of.deltaVersion)
    for (const id of ids) {
      const known = await store.read((transaction) => getPrediction(transaction, id));
      if (known !== undefined) here.set(id, known);
    }
  const labels = await store.read((transaction) => getMovedLabels(transaction, ids));
  return rows.map((row) => here.get(row.id) ?? withLabel(row, labels.get(row.id)));
}

function withLabel(row: NewPrediction, label: MovedLabel | undefined): Prediction {
  return {
    ...row,
    label: label?.label ?? undefined,
    labelText: label?.label_text ?? undefined,
    labelAtMs: label === undefined ? undefined : Number(label.label_at_ms),
    labelReceivedAtMs: label === undefined ? undefined : Number(label.label_received_at_ms),
    labelCorrections: Number(label?.label_corrections ?? 0),
  };
}
