import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** The last value that was pushed to a view for one key. */
export interface PushedFeature {
  readonly entityKey: string;
  /** Epoch microseconds, without the view's `available_after`. */
  readonly eventUs: number;
  readonly createdUs: number | null;
  /** JSON, as that of an `OnlineFeature`. */
  readonly payload: string;
}

interface OfView {
  readonly project: string;
  readonly view: string;
}

/** Values of other join keys count as none. */
interface Place extends OfView {
  /** JSON list of the join keys' names. */
  readonly keyColumns: string;
}

const ROWS_PER_STATEMENT = 2_000;
const KEYS_PER_STATEMENT = 5_000;
/** Of both databases' whole numbers of 64 bits the least. */
const BEFORE_ALL = sql.raw<number>("-9223372036854775807");

/**
 * Keeps pushed values. A key keeps what it has when that is later by (event time, created); of equal ones the last
 * counts.
 */
export async function putPushedFeatures(
  transaction: WriteTransaction,
  place: Place & { readonly atMs: number },
  features: readonly PushedFeature[],
): Promise<void> {
  const rows = latestPerKey(features);
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .insertInto("pushed_feature")
      .values(
        rows.slice(start, start + ROWS_PER_STATEMENT).map((feature) => ({
          project: place.project,
          view: place.view,
          entity_key: feature.entityKey,
          key_columns: place.keyColumns,
          event_us: feature.eventUs,
          created_us: feature.createdUs,
          payload: feature.payload,
          pushed_at_ms: place.atMs,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .columns(["project", "view", "entity_key"])
          .doUpdateSet((excluded) => ({
            key_columns: excluded.ref("excluded.key_columns"),
            event_us: excluded.ref("excluded.event_us"),
            created_us: excluded.ref("excluded.created_us"),
            payload: excluded.ref("excluded.payload"),
            pushed_at_ms: excluded.ref("excluded.pushed_at_ms"),
          }))
          .where(
            sql<boolean>`excluded.key_columns <> pushed_feature.key_columns or excluded.event_us > pushed_feature.event_us or (excluded.event_us = pushed_feature.event_us and coalesce(excluded.created_us, ${BEFORE_ALL}) >= coalesce(pushed_feature.created_us, ${BEFORE_ALL}))`,
          ),
      )
      .execute();
  }
}

/** One per key, as an upsert needs it, and in the order of the keys: two writers would else wait for each other. */
function latestPerKey(features: readonly PushedFeature[]): readonly PushedFeature[] {
  const latest = new Map<string, PushedFeature>();
  for (const feature of features) {
    const known = latest.get(feature.entityKey);
    if (
      known === undefined ||
      feature.eventUs > known.eventUs ||
      (feature.eventUs === known.eventUs && (feature.createdUs ?? -Infinity) >= (known.createdUs ?? -Infinity))
    )
      latest.set(feature.entityKey, feature);
  }
  return [...latest.values()].sort((left, right) => (left.entityKey < right.entityKey ? -1 : 1));
}

/** The pushed values of the given keys that are there, by key. */
export async function getPushedFeatures(
  transaction: ReadTransaction,
  place: Place,
  entityKeys: readonly string[],
): Promise<ReadonlyMap<string, PushedFeature>> {
  const found = new Map<string, PushedFeature>();
  for (let start = 0; start < entityKeys.length; start += KEYS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("pushed_feature")
      .select(["entity_key", "event_us", "created_us", "payload"])
      .where("project", "=", place.project)
      .where("view", "=", place.view)
      .where("key_columns", "=", place.keyColumns)
      .where("entity_key", "in", entityKeys.slice(start, start + KEYS_PER_STATEMENT))
      .execute();
    for (const row of rows)
      found.set(row.entity_key, {
        entityKey: row.entity_key,
        eventUs: row.event_us,
        createdUs: row.created_us,
        payload: row.payload,
      });
  }
  return found;
}

export interface PushedFeatureCount {
  /** Keys that have a pushed value. */
  readonly held: number;
  /** When the last of them came, epoch ms. */
  readonly lastAtMs: number | undefined;
}

export async function sumPushedFeatures(
  transaction: ReadTransaction,
  { project, view }: OfView,
): Promise<PushedFeatureCount> {
  const row = await transaction
    .selectFrom("pushed_feature")
    .select(({ fn }) => [fn.countAll<number>().as("held"), fn.max<number | null>("pushed_at_ms").as("last")])
    .where("project", "=", project)
    .where("view", "=", view)
    .executeTakeFirst();
  const last = row?.last;
  return { held: Number(row?.held ?? 0), lastAtMs: last === null || last === undefined ? undefined : Number(last) };
}

/**
 * Removes pushed values that the online values of a version have overtaken: those of an earlier event time, and those
 * of the same that were there before the version was made. Looks at `limit` keys after `after`.
 *
 * @returns the last key that was looked at; undefined when there are no more
 */
export async function deleteOvertakenPushes(
  transaction: WriteTransaction,
  place: Place & {
    readonly generation: number;
    readonly availableAfterUs: number;
    /** When the version was made, epoch ms. */
    readonly madeAtMs: number;
    readonly after: string;
    readonly limit: number;
  },
): Promise<string | undefined> {
  const { project, view, generation, after, limit, availableAfterUs, madeAtMs } = place;
  const { rows } = await sql<{ entity_key: string }>`
    select entity_key from pushed_feature where project = ${project} and view = ${view} and entity_key > ${after}
    order by entity_key limit ${limit}`.execute(transaction);
  const last = rows.at(-1)?.entity_key;
  if (last === undefined) return undefined;
  // One statement: a push that comes beside it is judged as it is by then.
  await sql`
    delete from pushed_feature
    where project = ${project} and view = ${view} and entity_key > ${after} and entity_key <= ${last}
      and (key_columns <> ${place.keyColumns} or exists (
        select 1 from online_feature o
        where o.project = pushed_feature.project and o.view = pushed_feature.view
          and o.generation = ${generation} and o.entity_key = pushed_feature.entity_key
          and (o.event_us > pushed_feature.event_us + ${availableAfterUs}
            or (o.event_us = pushed_feature.event_us + ${availableAfterUs}
              and (coalesce(o.created_us, ${BEFORE_ALL}) > coalesce(pushed_feature.created_us, ${BEFORE_ALL})
                or (coalesce(o.created_us, ${BEFORE_ALL}) = coalesce(pushed_feature.created_us, ${BEFORE_ALL})
                  and pushed_feature.pushed_at_ms < ${madeAtMs}))))))`.execute(transaction);
  return rows.length < limit ? undefined : last;
}

/** Removes up to `limit` pushed values whose event time lies before a moment. @returns how many they were */
export async function deleteExpiredPushes(
  transaction: WriteTransaction,
  { project, view, beforeUs, limit }: OfView & { readonly beforeUs: number; readonly limit: number },
): Promise<number> {
  const deleted = await transaction
    .deleteFrom("pushed_feature")
    .where("project", "=", project)
    .where("view", "=", view)
    .where("event_us", "<", beforeUs)
    .where("entity_key", "in", (query) =>
      query
        .selectFrom("pushed_feature")
        .select("entity_key")
        .where("project", "=", project)
        .where("view", "=", view)
        .where("event_us", "<", beforeUs)
        .limit(limit),
    )
    .executeTakeFirst();
  return Number(deleted.numDeletedRows);
}
