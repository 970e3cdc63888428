import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** The last value of a view for one key. */
export interface OnlineFeature {
  readonly entityKey: string;
  /** Epoch microseconds. */
  readonly eventUs: number;
  readonly createdUs: number | null;
  /** JSON. */
  readonly payload: string;
}

interface Place {
  readonly project: string;
  readonly view: string;
  readonly generation: number;
}

const ROWS_PER_STATEMENT = 2_000;
const KEYS_PER_STATEMENT = 5_000;

/** Writes values; a key keeps what it has when that is later by (event time, created). */
export async function putOnlineFeatures(
  transaction: WriteTransaction,
  place: Place,
  features: readonly OnlineFeature[],
): Promise<void> {
  for (let start = 0; start < features.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .insertInto("online_feature")
      .values(
        features.slice(start, start + ROWS_PER_STATEMENT).map((feature) => ({
          project: place.project,
          view: place.view,
          generation: place.generation,
          entity_key: feature.entityKey,
          event_us: feature.eventUs,
          created_us: feature.createdUs,
          payload: feature.payload,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .columns(["project", "view", "generation", "entity_key"])
          .doUpdateSet((excluded) => ({
            event_us: excluded.ref("excluded.event_us"),
            created_us: excluded.ref("excluded.created_us"),
            payload: excluded.ref("excluded.payload"),
          }))
          .where(
            sql<boolean>`excluded.event_us > online_feature.event_us or (excluded.event_us = online_feature.event_us and (online_feature.created_us is null or excluded.created_us >= online_feature.created_us))`,
          ),
      )
      .execute();
  }
}

/** The values of the given keys that are there, by key. */
export async function getOnlineFeatures(
  transaction: ReadTransaction,
  place: Place,
  entityKeys: readonly string[],
): Promise<ReadonlyMap<string, OnlineFeature>> {
  const found = new Map<string, OnlineFeature>();
  for (let start = 0; start < entityKeys.length; start += KEYS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("online_feature")
      .select(["entity_key", "event_us", "created_us", "payload"])
      .where("project", "=", place.project)
      .where("view", "=", place.view)
      .where("generation", "=", place.generation)
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

/** Some value that the view has online; undefined when it has none. */
export async function getFirstOnlineFeature(
  transaction: ReadTransaction,
  place: Place,
): Promise<OnlineFeature | undefined> {
  const row = await transaction
    .selectFrom("online_feature")
    .select(["entity_key", "event_us", "created_us", "payload"])
    .where("project", "=", place.project)
    .where("view", "=", place.view)
    .where("generation", "=", place.generation)
    .orderBy("entity_key")
    .limit(1)
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : { entityKey: row.entity_key, eventUs: row.event_us, createdUs: row.created_us, payload: row.payload };
}

/** Removes up to 20,000 values of generations that are not `keep`; call again until it returns 0. */
export async function deleteOldOnlineFeatures(
  transaction: WriteTransaction,
  place: { readonly project: string; readonly view: string; readonly keep: number },
): Promise<number> {
  const { rows } = await sql<{ entity_key: string; generation: number }>`
    select generation, entity_key from online_feature
    where project = ${place.project} and view = ${place.view} and generation <> ${place.keep}
    limit 20000`.execute(transaction);
  const byGeneration = Map.groupBy(rows, ({ generation }) => generation);
  for (const [generation, members] of byGeneration) {
    for (let start = 0; start < members.length; start += KEYS_PER_STATEMENT) {
      await transaction
        .deleteFrom("online_feature")
        .where("project", "=", place.project)
        .where("view", "=", place.view)
        .where("generation", "=", generation)
        .where(
          "entity_key",
          "in",
          members.slice(start, start + KEYS_PER_STATEMENT).map(({ entity_key: key }) => key),
        )
        .execute();
    }
  }
  return rows.length;
}
