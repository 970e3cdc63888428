import type { MetadataStore, ReadTransaction } from "#metadata-store";
import { getEventLog, HASH_BYTES, listEventTiles, listRawEvents, TILE_WIDTH } from "#metadata-store/audit";
import type { Checkpoint } from "./checkpoint.ts";
import { formatEntry } from "./entry.ts";
import { GrowingTree, hashAt } from "./merkle-tree.ts";

/**
 * One line of an exported log. `before`: hashes of the perfect subtrees of the events that were left out, largest
 * first; from them and the entries the root of the checkpoint can be computed. `entry`: the canonical event.
 */
export type ExportedLine =
  | { readonly before: { readonly size: number; readonly hashes: readonly string[] } }
  | { readonly index: number; readonly entry: string }
  | { readonly checkpoint: string; readonly verifierKey: string | undefined };

/**
 * The log as it was signed, line by line: what was left out, the events in the order of their places, the checkpoint.
 *
 * @param since only events at or after this time (epoch milliseconds)
 */
export async function* exportLog(
  store: MetadataStore,
  checkpoint: Checkpoint,
  options: { readonly since?: number | undefined },
): AsyncGenerator<ExportedLine> {
  const left = new GrowingTree();
  const lines: AsyncGenerator<Line> = readLines(store, checkpoint.size);
  let hasBegun = false;
  for await (const { index, leaf, atMs, entry } of lines) {
    if (!hasBegun && options.since !== undefined && atMs < options.since) {
      left.add(leaf);
      continue;
    }
    if (!hasBegun) yield beforeOf(left);
    hasBegun = true;
    yield { index, entry };
  }
  if (!hasBegun) yield beforeOf(left);
  const { verifierKey } = await store.read((transaction) => getEventLog(transaction));
  yield { checkpoint: checkpoint.note, verifierKey };
}

interface Line {
  readonly index: number;
  readonly leaf: Buffer;
  readonly atMs: number;
  readonly entry: string;
}

function beforeOf(tree: GrowingTree): ExportedLine {
  return { before: { size: tree.size, hashes: tree.subtrees.map((hash) => hash.toString("base64")) } };
}

async function* readLines(store: MetadataStore, size: number): AsyncGenerator<Line> {
  for (let number = 0; number * TILE_WIDTH < size; number++)
    yield* await store.readLong((transaction) => readTile(transaction, number, size));
}

async function readTile(transaction: ReadTransaction, number: number, size: number): Promise<readonly Line[]> {
  const [tile] = await listEventTiles(transaction, { level: 0, from: number, limit: 1 });
  if (tile === undefined || tile.number !== number) return [];
  const first = number * TILE_WIDTH;
  const width = Math.min(size - first, tile.hashes.length / HASH_BYTES, tile.sequences.length);
  const sequences = tile.sequences.slice(0, width);
  const [from, to] = [Math.min(...sequences), Math.max(...sequences)];
  const events = new Map(
    (await listRawEvents(transaction, { from, to, limit: to - from + 1 })).map((event) => [event.sequence, event]),
  );
  return sequences.flatMap((sequence, place) => {
    const event = events.get(sequence);
    if (event === undefined) return [];
    return { index: first + place, leaf: hashAt(tile.hashes, place), atMs: event.atMs, entry: formatEntry(event) };
  });
}
