import { newId } from "#base";
import { PostgresAdapter, sql } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import type { EndpointKey } from "./endpoint.ts";
import { getMovedLabels, type MovedLabel, saveMovedLabels } from "./moved-predictions.ts";
import { changeCounts } from "./prediction-count.ts";
import type { PredictionArm } from "./prediction.ts";

/** What really happened, for one prediction. */
export interface NewLabel {
  /** Prediction id; else `entityKey`. */
  readonly id?: string | undefined;
  /** The caller's key of the prediction: its latest prediction made at or before `atMs` is meant. */
  readonly entityKey?: string | undefined;
  /** A class as 0/1 or a number, or the class name of a multiclass model. */
  readonly label: number | string;
  /** Event time, epoch ms; default: the time it was received. */
  readonly atMs?: number | undefined;
}

/** What became of a batch of labels. */
export interface LabelReport {
  readonly received: number;
  /** Labels that found their prediction. */
  readonly matched: number;
  /** Labels that replaced an earlier, different one. */
  readonly corrected: number;
  /** Labels that said again what was known. */
  readonly repeated: number;
  /** Labels without a prediction; kept in `unmatched_label`. */
  readonly unmatched: number;
  /** The first hundred keys that were not found. */
  readonly unmatchedKeys: readonly string[];
  /** Event times of the predictions that were labelled, epoch ms; undefined when nothing matched. */
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
}

/** What was answered, and what really happened. */
export interface Outcome {
  readonly prediction: number | string | undefined;
  readonly label: number | string;
}

/** A prediction that a label may be meant for. */
interface Target extends LabelTarget {
  readonly label: number | null;
  readonly label_text: string | null;
  readonly label_received_at_ms: number | null;
  /** Undefined of one that lies in the database. */
  readonly moved?: { readonly corrections: number };
}

/** What labels are joined to. */
export interface LabelTarget {
  readonly id: string;
  readonly model_version_id: string;
  readonly arm: PredictionArm;
  readonly prediction: number | null;
  readonly prediction_text: string | null;
  readonly at_ms: number;
  readonly received_at_ms: number;
  readonly entity_key: string | null;
  readonly propensity: number | null;
}

const KEYS_PER_STATEMENT = 5000;
const REPORTED_KEYS = 100;

interface Join {
  readonly wanted: Map<string, { target: Target; label: NewLabel }>;
  readonly unmatched: NewLabel[];
  readonly counts: { matched: number; corrected: number; repeated: number };
}

/**
 * Joins labels to their predictions: the last one wins, a replaced one is counted, one without a prediction is kept
 * aside.
 * Appends the event `labels.recorded`.
 *
 * @param batch.moved predictions of the history that the labels name, read of the version that is held by this
 *   transaction (`holdPredictionHistory`)
 * @returns `outcomes`: those of answers that had no label before; shadows are left out
 */
export async function recordLabels(
  transaction: WriteTransaction,
  batch: EndpointKey & {
    readonly labels: readonly NewLabel[];
    readonly receivedAtMs: number;
    readonly actor: string;
    readonly moved?: readonly LabelTarget[] | undefined;
  },
): Promise<LabelReport & { readonly outcomes: readonly Outcome[] }> {
  const ids = batch.labels.flatMap((label) => (label.id === undefined ? [] : [label.id]));
  const keys = batch.labels.flatMap((label) =>
    label.id === undefined && label.entityKey !== undefined ? [label.entityKey] : [],
  );
  const byId = await findTargets(transaction, batch, "id", ids);
  const byKey = await findTargets(transaction, batch, "entity_key", keys);
  // After the others: of a row that is on its way it is either there, or its label is here.
  await addMoved(transaction, batch.moved ?? [], { byId, byKey });
  const join = joinLabels(batch.labels, byId, byKey);
  const wanted = [...join.wanted.values()].map(({ target, label }) => ({
    target,
    label,
    isCorrection: target.label_received_at_ms !== null && (target.label_text ?? target.label) !== label.label,
  }));
  await updateLabels(
    transaction,
    wanted.filter(({ target }) => target.moved === undefined),
    batch.receivedAtMs,
  );
  await saveMovedLabels(
    transaction,
    wanted.flatMap((each) => toMovedLabel(batch, each)),
  );
  await changeCounts(
    transaction,
    wanted.map(({ target, isCorrection }) => ({
      project: batch.project,
      environment: batch.environment,
      endpoint: batch.endpoint,
      modelVersionId: target.model_version_id,
      arm: target.arm,
      atMs: target.at_ms,
      receivedAtMs: target.received_at_ms,
      predictions: 0,
      labelled: target.label_received_at_ms === null ? 1 : 0,
      corrections: isCorrection ? 1 : 0,
    })),
  );
  await keepUnmatched(transaction, batch, join.unmatched);
  const times = [...join.wanted.values()].map(({ target }) => target.at_ms);
  const report: LabelReport = {
    received: batch.labels.length,
    ...join.counts,
    unmatched: join.unmatched.length,
    unmatchedKeys: join.unmatched.slice(0, REPORTED_KEYS).map((label) => label.id ?? label.entityKey ?? ""),
    fromMs: times.length === 0 ? undefined : times.reduce((least, time) => Math.min(least, time)),
    toMs: times.length === 0 ? undefined : times.reduce((largest, time) => Math.max(largest, time)),
  };
  const { unmatchedKeys: _keys, ...counts } = report;
  await appendEvent(transaction, {
    atMs: batch.receivedAtMs,
    project: batch.project,
    type: "labels.recorded",
    subjectKind: "endpoint",
    subject: `${batch.environment}/${batch.endpoint}`,
    actor: batch.actor,
    data: counts,
  });
  const outcomes = wanted
    .filter(({ target }) => target.label_received_at_ms === null && target.arm !== "shadow")
    .map(({ target, label }) => ({
      prediction: target.prediction ?? target.prediction_text ?? undefined,
      label: label.label,
    }));
  return { ...report, outcomes };
}

async function addMoved(
  transaction: WriteTransaction,
  moved: readonly LabelTarget[],
  found: { readonly byId: Map<string, Target[]>; readonly byKey: Map<string, Target[]> },
): Promise<void> {
  if (moved.length === 0) return;
  const labels = await getMovedLabels(
    transaction,
    moved.map(({ id }) => id),
  );
  const here = new Set([...found.byId.values(), ...found.byKey.values()].flat().map(({ id }) => id));
  for (const target of moved) {
    // A row that was not taken out of the database yet.
    if (here.has(target.id)) continue;
    const known = labels.get(target.id);
    const whole: Target = {
      ...target,
      label: known?.label ?? null,
      label_text: known?.label_text ?? null,
      label_received_at_ms: known?.label_received_at_ms ?? null,
      moved: { corrections: Number(known?.label_corrections ?? 0) },
    };
    found.byId.set(target.id, [whole]);
    if (target.entity_key !== null)
      found.byKey.set(target.entity_key, [...(found.byKey.get(target.entity_key) ?? []), whole]);
  }
}

function toMovedLabel(
  { project, environment, endpoint, receivedAtMs }: EndpointKey & { readonly receivedAtMs: number },
  { target, label, isCorrection }: Wanted,
): readonly MovedLabel[] {
  if (target.moved === undefined) return [];
  return [
    {
      id: target.id,
      project,
      environment,
      endpoint,
      model_version_id: target.model_version_id,
      arm: target.arm,
      at_ms: target.at_ms,
      received_at_ms: target.received_at_ms,
      prediction: target.prediction,
      prediction_text: target.prediction_text,
      propensity: target.propensity,
      label: typeof label.label === "number" ? label.label : null,
      label_text: typeof label.label === "string" ? label.label : null,
      label_at_ms: label.atMs ?? receivedAtMs,
      label_received_at_ms: receivedAtMs,
      label_corrections: target.moved.corrections + (isCorrection ? 1 : 0),
    },
  ];
}

interface Wanted {
  readonly target: Target;
  readonly label: NewLabel;
  readonly isCorrection: boolean;
}

function joinLabels(
  labels: readonly NewLabel[],
  byId: ReadonlyMap<string, Target[]>,
  byKey: ReadonlyMap<string, Target[]>,
): Join {
  const join: Join = { wanted: new Map(), unmatched: [], counts: { matched: 0, corrected: 0, repeated: 0 } };
  for (const label of labels) {
    const targets =
      label.id === undefined
        ? latestBefore(byKey.get(label.entityKey ?? "") ?? [], label.atMs)
        : (byId.get(label.id) ?? []);
    const [first] = targets;
    if (first === undefined) {
      join.unmatched.push(label);
      continue;
    }
    join.counts.matched++;
    const known = join.wanted.get(first.id)?.label.label ?? first.label_text ?? first.label;
    if (known === label.label) join.counts.repeated++;
    else if (known !== null) join.counts.corrected++;
    for (const target of targets) join.wanted.set(target.id, { target, label });
  }
  return join;
}

async function findTargets(
  transaction: WriteTransaction,
  key: EndpointKey,
  column: "id" | "entity_key",
  values: readonly string[],
): Promise<Map<string, Target[]>> {
  const found = new Map<string, Target[]>();
  // What is counted follows from what stood there, so nobody else may label these rows meanwhile. SQLite has one writer
  // anyway.
  const isShared = transaction.getExecutor().adapter instanceof PostgresAdapter;
  for (let start = 0; start < values.length; start += KEYS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("prediction")
      .select([
        "id",
        "model_version_id",
        "arm",
        "prediction",
        "prediction_text",
        "at_ms",
        "received_at_ms",
        "entity_key",
        "propensity",
        "label",
        "label_text",
        "label_received_at_ms",
      ])
      .where("project", "=", key.project)
      .where("environment", "=", key.environment)
      .where("endpoint", "=", key.endpoint)
      .where(column, "in", values.slice(start, start + KEYS_PER_STATEMENT))
      .$if(isShared, (select) => select.forUpdate())
      .execute();
    for (const row of rows) {
      const name = row[column] ?? "";
      const list = found.get(name);
      if (list === undefined) found.set(name, [row]);
      else if (!list.some((known) => known.id === row.id)) list.push(row);
    }
  }
  return found;
}

/** The latest prediction at or before the label, with its shadow; in one order, wherever they were found. */
function latestBefore(targets: readonly Target[], atMs: number | undefined): readonly Target[] {
  const eligible = atMs === undefined ? targets : targets.filter((target) => target.at_ms <= atMs);
  const latest = eligible.reduce((largest, target) => Math.max(largest, target.at_ms), -Infinity);
  return eligible.filter((target) => target.at_ms === latest).sort((left, right) => (left.id < right.id ? -1 : 1));
}

// 5 values a row.
const UPDATES_PER_STATEMENT = 4000;

async function updateLabels(
  transaction: WriteTransaction,
  wanted: readonly Wanted[],
  receivedAtMs: number,
): Promise<void> {
  for (let start = 0; start < wanted.length; start += UPDATES_PER_STATEMENT) {
    const rows = wanted.slice(start, start + UPDATES_PER_STATEMENT).map(({ target, label, isCorrection }) => {
      const number = typeof label.label === "number" ? label.label : null;
      const text = typeof label.label === "string" ? label.label : null;
      return sql`(${target.id}, ${number}, ${text}, ${label.atMs ?? receivedAtMs}, ${isCorrection ? 1 : 0})`;
    });
    await sql`
      with new_label (id, label, label_text, at_ms, corrections) as (values ${sql.join(rows)})
      update prediction set
        label = cast(new_label.label as double precision),
        label_text = new_label.label_text,
        label_at_ms = cast(new_label.at_ms as bigint),
        label_received_at_ms = cast(${receivedAtMs} as bigint),
        label_corrections = prediction.label_corrections + cast(new_label.corrections as bigint)
      from new_label where prediction.id = new_label.id`.execute(transaction);
  }
}

const UNMATCHED_PER_STATEMENT = 3000;

async function keepUnmatched(
  transaction: WriteTransaction,
  batch: EndpointKey & { readonly receivedAtMs: number },
  labels: readonly NewLabel[],
): Promise<void> {
  for (let start = 0; start < labels.length; start += UNMATCHED_PER_STATEMENT) {
    const rows = labels.slice(start, start + UNMATCHED_PER_STATEMENT).map((label) => ({
      id: newId(batch.receivedAtMs),
      project: batch.project,
      environment: batch.environment,
      endpoint: batch.endpoint,
      label_key: label.id ?? label.entityKey ?? "",
      label: JSON.stringify(label),
      reason:
        label.id === undefined
          ? "no prediction with this entity key at or before the label's time"
          : "no prediction with this id on this endpoint",
      received_at_ms: batch.receivedAtMs,
    }));
    await transaction.insertInto("unmatched_label").values(rows).execute();
  }
}
