import {
  type EventTile,
  getEventTile,
  HASH_BYTES,
  type Hole,
  listRawEvents,
  lockEventLog,
  type RawEvent,
  saveEventLog,
  saveEventTiles,
  TILE_WIDTH,
} from "#metadata-store/audit";
import type { ReadTransaction, WriteTransaction } from "#metadata-store";
import { formatEntry } from "./entry.ts";
import { eventLogDamaged } from "./errors.ts";
import { GrowingTree, hashAt, hashLeaf, largestPowerBelow, rootOf } from "./merkle-tree.ts";

/** A transaction that is open this long after a later event was taken never commits. */
const LONGEST_TRANSACTION_MS = 3_600_000;
const MOST_HOLES = 200;

/**
 * Takes the next committed events into the tree. Those of transactions that committed after later ones were taken come
 * when they are there; ids of transactions that were rolled back stay empty.
 *
 * @returns how many were taken, and the size of the tree
 * @throws GOVERNANCE_EVENT_LOG_DAMAGED
 */
export async function takeEvents(
  transaction: WriteTransaction,
  options: { readonly atMs: number; readonly limit: number; readonly commitsInOrder: boolean },
): Promise<{ readonly taken: number; readonly size: number; readonly lastSequence: number }> {
  const log = await lockEventLog(transaction);
  const late: RawEvent[] = [];
  for (const [from, to] of log.holes)
    late.push(...(await listRawEvents(transaction, { from, to, limit: options.limit })));
  const fresh = await listRawEvents(transaction, { from: log.lastSequence + 1, limit: options.limit });
  const events = [...late, ...fresh];
  const lastSequence = fresh.at(-1)?.sequence ?? log.lastSequence;
  if (events.length === 0) return { taken: 0, size: log.size, lastSequence };
  const leaves = events.map((event) => ({ hash: hashLeaf(formatEntry(event)), sequence: event.sequence }));
  await saveEventTiles(transaction, await growTiles(transaction, log.size, leaves));
  const size = log.size + events.length;
  const holes = options.commitsInOrder ? [] : findHoles(log, { late, fresh, atMs: options.atMs });
  await saveEventLog(transaction, { size, lastSequence, holes });
  return { taken: events.length, size, lastSequence };
}

function findHoles(
  log: { readonly lastSequence: number; readonly holes: readonly Hole[] },
  found: { readonly late: readonly RawEvent[]; readonly fresh: readonly RawEvent[]; readonly atMs: number },
): readonly Hole[] {
  const holes: Hole[] = [];
  const cut = (first: number, last: number, sinceMs: number, filled: readonly RawEvent[]): void => {
    let next = first;
    for (const { sequence } of filled) {
      if (sequence > next) holes.push([next, sequence - 1, sinceMs]);
      next = sequence + 1;
    }
    if (next <= last) holes.push([next, last, sinceMs]);
  };
  for (const [first, last, sinceMs] of log.holes)
    if (found.atMs - sinceMs < LONGEST_TRANSACTION_MS)
      cut(
        first,
        last,
        sinceMs,
        found.late.filter(({ sequence }) => sequence >= first && sequence <= last),
      );
  const last = found.fresh.at(-1)?.sequence;
  if (last !== undefined) cut(log.lastSequence + 1, last, found.atMs, found.fresh);
  return holes.slice(-MOST_HOLES);
}

interface OpenTile {
  readonly level: number;
  readonly number: number;
  readonly hashes: Buffer[];
  readonly sequences: number[];
}

async function growTiles(
  transaction: ReadTransaction,
  size: number,
  leaves: readonly { readonly hash: Buffer; readonly sequence: number }[],
): Promise<readonly EventTile[]> {
  const open = await openTiles(transaction, size);
  const done: OpenTile[] = [];
  const append = (level: number, hash: Buffer, sequence: number): void => {
    const tile = (open[level] ??= { level, number: 0, hashes: [], sequences: [] });
    tile.hashes.push(hash);
    if (level === 0) tile.sequences.push(sequence);
    if (tile.hashes.length < TILE_WIDTH) return;
    done.push(tile);
    open[level] = { level, number: tile.number + 1, hashes: [], sequences: [] };
    append(level + 1, rootOf(Buffer.concat(tile.hashes)), sequence);
  };
  for (const { hash, sequence } of leaves) append(0, hash, sequence);
  return [...done, ...open.filter(({ hashes }) => hashes.length > 0)].map((tile) => ({
    ...tile,
    hashes: Buffer.concat(tile.hashes),
  }));
}

/** The last tile of each level, which the next hash goes to. */
async function openTiles(transaction: ReadTransaction, size: number): Promise<OpenTile[]> {
  const open: OpenTile[] = [];
  for (let [level, count] = [0, size]; count > 0; level++, count = Math.floor(count / TILE_WIDTH)) {
    const [number, filled] = [Math.floor(count / TILE_WIDTH), count % TILE_WIDTH];
    const tile = filled === 0 ? undefined : await getEventTile(transaction, { level, number });
    const hashes = tile?.hashes ?? Buffer.alloc(0);
    const sequences = tile?.sequences ?? [];
    if (hashes.length !== filled * HASH_BYTES || (level === 0 && sequences.length !== filled))
      throw eventLogDamaged({ level, number, expected: filled, found: Math.floor(hashes.length / HASH_BYTES) });
    open.push({
      level,
      number,
      hashes: Array.from({ length: filled }, (_, index) => hashAt(hashes, index)),
      sequences: [...sequences],
    });
  }
  return open;
}

/** Reads hashes of the tree from its tiles, each tile once. */
export interface TreeReader {
  /** Root of the tree at a size that it had. @throws GOVERNANCE_EVENT_LOG_DAMAGED */
  rootAt(size: number): Promise<Buffer>;
  /** Path from a leaf to the root of the tree of `size` leaves. Source: RFC 6962 §2.1.1. */
  pathTo(index: number, size: number): Promise<readonly Buffer[]>;
  /** Hash of a leaf. */
  leafAt(index: number): Promise<Buffer>;
}

export function createTreeReader(transaction: ReadTransaction): TreeReader {
  const tiles = new Map<string, Promise<EventTile | undefined>>();
  const hashOf = async (level: number, index: number): Promise<Buffer> => {
    const number = Math.floor(index / TILE_WIDTH);
    const key = `${level}/${number}`;
    const tile = await (tiles.get(key) ?? getEventTile(transaction, { level, number }));
    tiles.set(key, Promise.resolve(tile));
    const hashes = tile?.hashes ?? Buffer.alloc(0);
    const [place, found] = [index % TILE_WIDTH, Math.floor(hashes.length / HASH_BYTES)];
    if (place >= found) throw eventLogDamaged({ level, number, expected: place + 1, found });
    return hashAt(hashes, place);
  };
  /** Root over leaves `[from, to)`, where `from` is a multiple of the largest power of two in their number. */
  const rootOver = async (from: number, to: number): Promise<Buffer> => {
    const tree = new GrowingTree();
    for (let next = from; next < to;) {
      let [level, width] = [0, 1];
      while (next % (width * TILE_WIDTH) === 0 && next + width * TILE_WIDTH <= to) {
        level++;
        width *= TILE_WIDTH;
      }
      tree.add(await hashOf(level, next / width), width);
      next += width;
    }
    return tree.root();
  };
  return {
    rootAt: (size) => rootOver(0, size),
    leafAt: (index) => hashOf(0, index),
    async pathTo(index, size) {
      const path: Buffer[] = [];
      for (let [from, to] = [0, size]; to - from > 1;) {
        const middle = from + largestPowerBelow(to - from);
        if (index < middle) {
          path.push(await rootOver(middle, to));
          to = middle;
        } else {
          path.push(await rootOver(from, middle));
          from = middle;
        }
      }
      return path.toReversed();
    },
  };
}
