import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { AuditTables } from "./tables.ts";

export const HASH_BYTES = 32;
/** Hashes of a full tile. */
export const TILE_WIDTH = 256;

/** Up to 256 hashes of one level of the tree. */
export interface EventTile {
  readonly level: number;
  readonly number: number;
  /** 32 bytes each. */
  readonly hashes: Buffer;
  /** Level 0: sequences of the events; empty above. */
  readonly sequences: readonly number[];
}

/** A tile; undefined when there is none. */
export async function getEventTile(
  transaction: ReadTransaction,
  { level, number }: Pick<EventTile, "level" | "number">,
): Promise<EventTile | undefined> {
  const row = await transaction
    .selectFrom("event_tile")
    .selectAll()
    .where("level", "=", level)
    .where("number", "=", number)
    .executeTakeFirst();
  return row === undefined ? undefined : toTile(row);
}

/** Tiles of a level in order, from one on: at most `limit`. */
export async function listEventTiles(
  transaction: ReadTransaction,
  query: { readonly level: number; readonly from: number; readonly limit: number },
): Promise<readonly EventTile[]> {
  const rows = await transaction
    .selectFrom("event_tile")
    .selectAll()
    .where("level", "=", query.level)
    .where("number", ">=", query.from)
    .orderBy("number")
    .limit(query.limit)
    .execute();
  return rows.map(toTile);
}

/** Adds tiles, or replaces those that have grown. */
export async function saveEventTiles(transaction: WriteTransaction, tiles: readonly EventTile[]): Promise<void> {
  for (const tile of tiles)
    await transaction
      .insertInto("event_tile")
      .values({
        level: tile.level,
        number: tile.number,
        hashes: tile.hashes.toString("base64"),
        sequences: tile.level === 0 ? formatRanges(tile.sequences) : null,
      })
      .onConflict((conflict) =>
        conflict.columns(["level", "number"]).doUpdateSet((update) => ({
          hashes: update.ref("excluded.hashes"),
          sequences: update.ref("excluded.sequences"),
        })),
      )
      .execute();
}

function toTile(row: Selectable<AuditTables["event_tile"]>): EventTile {
  return {
    level: row.level,
    number: row.number,
    hashes: Buffer.from(row.hashes, "base64"),
    sequences: row.sequences === null ? [] : parseRanges(row.sequences),
  };
}

function formatRanges(sequences: readonly number[]): string {
  const ranges: string[] = [];
  for (let first = 0; first < sequences.length;) {
    let last = first;
    while (last + 1 < sequences.length && sequences[last + 1] === Number(sequences[last]) + 1) last++;
    ranges.push(first === last ? `${sequences[first]}` : `${sequences[first]}-${sequences[last]}`);
    first = last + 1;
  }
  return ranges.join(",");
}

function parseRanges(text: string): readonly number[] {
  const sequences: number[] = [];
  for (const range of text === "" ? [] : text.split(",")) {
    const [first = Number.NaN, last = first] = range.split("-").map(Number);
    // A tile that somebody edited never makes more than a tile holds.
    for (let each = first; each <= last && sequences.length < TILE_WIDTH; each++) sequences.push(each);
  }
  return sequences;
}
