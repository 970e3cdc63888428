import { newId } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";

interface OfDataset {
  readonly project: string;
  readonly dataset: string;
}

/** One event as it was sent. */
export interface PushedEvent {
  /** A JSON object without line breaks. */
  readonly line: string;
  /** What tells it from others, at most 64 characters; undefined where nothing does. */
  readonly key: string | undefined;
}

export interface NewPushedBatch extends OfDataset {
  readonly idempotencyKey: string | undefined;
  /** Of the body as it was sent: the same key with another one is a mistake. */
  readonly bodyDigest: string;
  readonly events: readonly PushedEvent[];
  readonly actor: string;
  readonly atMs: number;
}

export interface AcceptedBatch {
  /** `known`: a batch of this idempotency key is there, with the same body; `other`: with another one. */
  readonly state: "new" | "known" | "other";
  readonly events: number;
  readonly duplicates: number;
}

/** PostgreSQL takes 65,535 binds in a statement, SQLite 32,766. */
const LARGEST_INSERT = 5000;

/**
 * Keeps the events of a batch that are not there yet. Run again, or beside another one of the same key, it keeps them
 * once.
 */
export async function acceptPushedBatch(transaction: WriteTransaction, batch: NewPushedBatch): Promise<AcceptedBatch> {
  const { project, dataset, idempotencyKey } = batch;
  const earlier = await findBatch(transaction, batch);
  if (earlier !== undefined) return earlier;
  const fresh = await keepKeys(transaction, batch);
  const duplicates = batch.events.length - fresh.length;
  if (fresh.length === 0 && idempotencyKey === undefined) return { state: "new", events: 0, duplicates };
  const payload = fresh.map(({ line }) => `${line}\n`).join("");
  const kept = await transaction
    .insertInto("pushed_batch")
    .values({
      id: newId(batch.atMs),
      project,
      dataset,
      idempotency_key: idempotencyKey ?? null,
      body_digest: batch.bodyDigest,
      events: fresh.length,
      duplicates,
      size_bytes: Buffer.byteLength(payload),
      payload: fresh.length === 0 ? null : payload,
      actor: batch.actor,
      received_at_ms: batch.atMs,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning("id")
    .execute();
  // One of the same key was written beside this one, and is there now.
  const beside = kept.length > 0 ? undefined : await findBatch(transaction, batch);
  return beside ?? { state: "new", events: fresh.length, duplicates };
}

async function findBatch(
  transaction: WriteTransaction,
  { project, dataset, idempotencyKey, bodyDigest }: NewPushedBatch,
): Promise<AcceptedBatch | undefined> {
  if (idempotencyKey === undefined) return undefined;
  const row = await transaction
    .selectFrom("pushed_batch")
    .select(["body_digest", "events", "duplicates"])
    .where("project", "=", project)
    .where("dataset", "=", dataset)
    .where("idempotency_key", "=", idempotencyKey)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { events, duplicates } = row;
  return { state: row.body_digest === bodyDigest ? "known" : "other", events, duplicates };
}

/** The events whose key is new, the first of each, in the order in which they came. */
async function keepKeys(transaction: WriteTransaction, batch: NewPushedBatch): Promise<readonly PushedEvent[]> {
  const { project, dataset, events, atMs } = batch;
  // Sorted: two writers that keep the same keys would else wait for each other.
  const keys = [...new Set(events.flatMap(({ key }) => key ?? []))].sort();
  if (keys.length === 0) return events;
  const fresh = new Set<string>();
  for (let start = 0; start < keys.length; start += LARGEST_INSERT) {
    const rows = keys
      .slice(start, start + LARGEST_INSERT)
      .map((key) => ({ project, dataset, event_key: key, received_at_ms: atMs }));
    const kept = await transaction
      .insertInto("pushed_event")
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .returning("event_key")
      .execute();
    for (const { event_key } of kept) fresh.add(event_key);
  }
  return events.filter(({ key }) => key === undefined || fresh.delete(key));
}

/** Events that no version has yet. */
export interface WaitingEvents {
  readonly batches: number;
  readonly events: number;
  readonly sizeBytes: number;
  readonly oldestAtMs: number | undefined;
  /** When a run was asked for that takes them. */
  readonly askedAtMs: number | undefined;
}

export async function sumPushedEvents(transaction: ReadTransaction, of: OfDataset): Promise<WaitingEvents> {
  const sums = await transaction
    .selectFrom("pushed_batch")
    .select(({ fn }) => [
      fn.countAll<number>().as("batches"),
      fn.sum<number | null>("events").as("events"),
      fn.sum<number | null>("size_bytes").as("bytes"),
      fn.min<number | null>("received_at_ms").as("oldest"),
    ])
    .where("project", "=", of.project)
    .where("dataset", "=", of.dataset)
    .where("payload", "is not", null)
    .executeTakeFirst();
  const asked = await transaction
    .selectFrom("push_demand")
    .select("asked_at_ms")
    .where("project", "=", of.project)
    .where("dataset", "=", of.dataset)
    .executeTakeFirst();
  return {
    batches: Number(sums?.batches ?? 0),
    events: Number(sums?.events ?? 0),
    sizeBytes: Number(sums?.bytes ?? 0),
    oldestAtMs: sums?.oldest === null || sums === undefined ? undefined : Number(sums.oldest),
    askedAtMs: asked?.asked_at_ms,
  };
}

export interface PushedBatch {
  readonly id: string;
  readonly payload: string;
  readonly events: number;
  readonly sizeBytes: number;
}

/** Batches whose events no version has, in the order in which they came; `after` is the id of the last one. */
export async function listPushedBatches(
  transaction: ReadTransaction,
  query: OfDataset & { readonly after: string; readonly limit: number },
): Promise<readonly PushedBatch[]> {
  const rows = await transaction
    .selectFrom("pushed_batch")
    .select(["id", "payload", "events", "size_bytes"])
    .where("project", "=", query.project)
    .where("dataset", "=", query.dataset)
    .where("payload", "is not", null)
    .where("id", ">", query.after)
    .orderBy("id")
    .limit(query.limit)
    .execute();
  return rows.map(({ id, payload, events, size_bytes }) => ({
    id,
    payload: payload ?? "",
    events,
    sizeBytes: size_bytes,
  }));
}

/**
 * Lets go of batches whose events a version or the quarantine has from this transaction on.
 *
 * @returns how many of them were still waiting: fewer than `ids` when another run has taken some
 */
export async function takePushedBatches(
  transaction: WriteTransaction,
  { project, dataset, ids }: OfDataset & { readonly ids: readonly string[] },
): Promise<number> {
  let taken = 0;
  for (let start = 0; start < ids.length; start += LARGEST_INSERT) {
    const result = await transaction
      .updateTable("pushed_batch")
      .set({ payload: null })
      .where("id", "in", ids.slice(start, start + LARGEST_INSERT))
      .where("payload", "is not", null)
      .executeTakeFirst();
    taken += Number(result.numUpdatedRows);
  }
  await transaction.deleteFrom("push_demand").where("project", "=", project).where("dataset", "=", dataset).execute();
  return taken;
}

/**
 * Forgets what tells events apart that came before a time, and what was taken of them: at most `limit` of each kind.
 *
 * @returns whether there may be more
 */
export async function forgetPushedEvents(
  transaction: WriteTransaction,
  { project, dataset, beforeMs, limit }: OfDataset & { readonly beforeMs: number; readonly limit: number },
): Promise<boolean> {
  const batches = await transaction
    .deleteFrom("pushed_batch")
    .where("id", "in", (query) =>
      query
        .selectFrom("pushed_batch")
        .select("id")
        .where("project", "=", project)
        .where("dataset", "=", dataset)
        .where("received_at_ms", "<", beforeMs)
        .where("payload", "is", null)
        .limit(limit),
    )
    .executeTakeFirst();
  const events = await transaction
    .deleteFrom("pushed_event")
    .where("project", "=", project)
    .where("dataset", "=", dataset)
    .where("event_key", "in", (query) =>
      query
        .selectFrom("pushed_event")
        .select("event_key")
        .where("project", "=", project)
        .where("dataset", "=", dataset)
        .where("received_at_ms", "<", beforeMs)
        .limit(limit),
    )
    .executeTakeFirst();
  return Number(batches.numDeletedRows) >= limit || Number(events.numDeletedRows) >= limit;
}

/**
 * Notes that a run is asked for that takes the waiting events.
 *
 * @param before what `sumPushedEvents` told; of several servers that saw the same, one asks
 * @returns false when another one has asked
 */
export async function askForPushedEvents(
  transaction: WriteTransaction,
  { project, dataset, before, atMs }: OfDataset & { readonly before: number | undefined; readonly atMs: number },
): Promise<boolean> {
  if (before === undefined) {
    const inserted = await transaction
      .insertInto("push_demand")
      .values({ project, dataset, asked_at_ms: atMs })
      .onConflict((conflict) => conflict.doNothing())
      .returning("asked_at_ms")
      .execute();
    return inserted.length > 0;
  }
  const updated = await transaction
    .updateTable("push_demand")
    .set({ asked_at_ms: atMs })
    .where("project", "=", project)
    .where("dataset", "=", dataset)
    .where("asked_at_ms", "=", before)
    .executeTakeFirst();
  return Number(updated.numUpdatedRows) > 0;
}
