import type { MetadataStore, ReadTransaction } from "#metadata-store";
import {
  type EventLog,
  type EventTile,
  getEventLog,
  HASH_BYTES,
  listEventTiles,
  listRawEvents,
  type RawEvent,
} from "#metadata-store/audit";
import { type Checkpoint, checkSignature } from "./checkpoint.ts";
import { formatEntry } from "./entry.ts";
import { GrowingTree, hashAt, hashLeaf } from "./merkle-tree.ts";
import { createSequenceSet, type SequenceSet } from "./sequence-set.ts";

/** An event as a finding names it. */
export interface NamedEvent {
  /** Its number. */
  readonly sequence: number;
  /** Undefined where it is not there any more. */
  readonly type: string | undefined;
  readonly atMs: number | undefined;
}

/** One way in which the log is not what was signed. */
export type LogFinding =
  | { readonly kind: "event_edited"; readonly position: number; readonly event: NamedEvent }
  | {
      readonly kind: "event_deleted";
      readonly position: number;
      readonly event: NamedEvent;
      /** Times of the events before and after it that are there. */
      readonly afterMs: number | undefined;
      readonly beforeMs: number | undefined;
    }
  | { readonly kind: "event_inserted"; readonly event: NamedEvent }
  /** One of the events of these positions is not the one that was signed; `event`: the first of them. */
  | {
      readonly kind: "tree_changed";
      readonly from: number;
      readonly to: number;
      readonly source: string;
      readonly event: NamedEvent | undefined;
    }
  | { readonly kind: "log_shortened"; readonly size: number; readonly signed: number; readonly source: string }
  | {
      readonly kind: "checkpoint_forged" | "checkpoint_of_other_key";
      readonly size: number;
      readonly source: string;
    }
  | { readonly kind: "checkpoint_unreadable"; readonly line: number; readonly source: string }
  | { readonly kind: "key_changed"; readonly signer: string; readonly found: string }
  | { readonly kind: "tiles_missing"; readonly size: number; readonly found: number };

/** Checkpoints of one place. */
export interface CheckpointSource {
  /** As a person knows it: a file, a git ref. */
  readonly name: string;
  readonly checkpoints: readonly Checkpoint[];
  readonly unreadable: readonly number[];
}

export interface LogVerification {
  /** Events in the tree. */
  readonly size: number;
  /** Events after it that are not taken yet. */
  readonly pending: number;
  readonly checkpoints: number;
  /** Size of the largest checkpoint that holds; 0: none. */
  readonly signed: number;
  readonly verifierKey: string | undefined;
  readonly findings: readonly LogFinding[];
  /** Findings of which only the first were kept. */
  readonly count: number;
}

const MOST_FINDINGS = 100;
const TILES_A_PAGE = 32;
const EVENTS_A_PAGE = 1000;

/**
 * Recomputes every leaf from its event and every root from the leaves, and compares them with the checkpoints.
 *
 * @param verifierKey key that must have signed; default: the one that the log names
 * @param visit called with every event that is there, in the order of their numbers
 */
export async function verifyLog(
  store: MetadataStore,
  options: {
    readonly sources: readonly CheckpointSource[];
    readonly verifierKey?: string | undefined;
    readonly visit?: (event: RawEvent) => void;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<LogVerification> {
  const findings: LogFinding[] = [];
  let count = 0;
  const tell = (finding: LogFinding): void => {
    count++;
    if (findings.length < MOST_FINDINGS) findings.push(finding);
  };
  const log = await store.read((transaction) => getEventLog(transaction));
  const verifierKey = options.verifierKey ?? log.verifierKey;
  const signed = checkSources(options.sources, verifierKey, tell);
  const taken = createSequenceSet();
  const roots = await store.readLong((transaction) => checkTree(transaction, { log, signed, taken, tell, options }));
  const pending = await store.readLong((transaction) => checkEvents(transaction, { log, taken, tell, options }));
  return {
    size: log.size,
    pending,
    checkpoints: signed.length,
    signed: roots,
    verifierKey,
    findings,
    count,
  };
}

interface SignedRoot extends Checkpoint {
  readonly source: string;
}

/** The checkpoints that the key signed, by size. */
function checkSources(
  sources: readonly CheckpointSource[],
  verifierKey: string | undefined,
  tell: (finding: LogFinding) => void,
): readonly SignedRoot[] {
  const signed: SignedRoot[] = [];
  for (const { name, checkpoints, unreadable } of sources) {
    for (const line of unreadable) tell({ kind: "checkpoint_unreadable", line, source: name });
    for (const checkpoint of checkpoints) {
      const answer = verifierKey === undefined ? "unsigned" : checkSignature(checkpoint.note, verifierKey);
      if (answer === "signed") signed.push({ ...checkpoint, source: name });
      else
        tell({
          kind: answer === "forged" ? "checkpoint_forged" : "checkpoint_of_other_key",
          size: checkpoint.size,
          source: name,
        });
    }
  }
  return signed.toSorted((left, right) => left.size - right.size);
}

interface Check {
  readonly log: EventLog;
  readonly taken: SequenceSet;
  readonly tell: (finding: LogFinding) => void;
  readonly options: { readonly visit?: (event: RawEvent) => void; readonly signal?: AbortSignal | undefined };
}

/** @returns size of the largest checkpoint that holds */
async function checkTree(
  transaction: ReadTransaction,
  check: Check & { readonly signed: readonly SignedRoot[] },
): Promise<number> {
  const { log, signed, tell, options } = check;
  const tree = new GrowingTree();
  const reach = createRootCheck(transaction, tree, signed, tell);
  await reach();
  for (let number = 0; tree.size < log.size;) {
    options.signal?.throwIfAborted();
    const tiles = await listEventTiles(transaction, { level: 0, from: number, limit: TILES_A_PAGE });
    if (tiles.length === 0 || tiles[0]?.number !== number) break;
    for (const tile of tiles) {
      if (tile.number !== number) break;
      const { length } = tile.sequences;
      // A tile may have grown since the size was read.
      const width = Math.min(length, tile.hashes.length / HASH_BYTES, log.size - tree.size);
      await checkTile(transaction, tile, { ...check, width, position: tree.size });
      for (let place = 0; place < width; place++) {
        tree.add(hashAt(tile.hashes, place));
        await reach(tile.sequences[place]);
      }
      number++;
    }
  }
  if (tree.size < log.size) tell({ kind: "tiles_missing", size: log.size, found: tree.size });
  const beyond = signed.findLast(({ size }) => size > tree.size);
  if (beyond !== undefined)
    tell({ kind: "log_shortened", size: tree.size, signed: beyond.size, source: beyond.source });
  return reach.held();
}

/** Compares the root with each checkpoint when the tree has its size; only the first that does not hold is told. */
function createRootCheck(
  transaction: ReadTransaction,
  tree: GrowingTree,
  signed: readonly SignedRoot[],
  tell: (finding: LogFinding) => void,
): ((sequence?: number) => Promise<void>) & { held(): number } {
  let next = 0;
  let held = 0;
  let hasFailed = false;
  /** Number of the first event after the last checkpoint that held. */
  let first: number | undefined;
  const reach = async (sequence?: number): Promise<void> => {
    if (tree.size === held + 1) first = sequence;
    for (let at = signed[next]; at?.size === tree.size; at = signed[next]) {
      next++;
      if (hasFailed) continue;
      if (at.root.equals(tree.root())) {
        held = at.size;
        continue;
      }
      hasFailed = true;
      const [event] = first === undefined ? [] : await listRawEvents(transaction, { from: first, to: first, limit: 1 });
      tell({
        kind: "tree_changed",
        from: held,
        to: at.size - 1,
        source: at.source,
        event: first === undefined ? undefined : { sequence: first, type: event?.type, atMs: event?.atMs },
      });
    }
  };
  return Object.assign(reach, { held: () => held });
}

/** Compares the leaves of a tile with their events. */
async function checkTile(
  transaction: ReadTransaction,
  tile: EventTile,
  check: Check & { readonly width: number; readonly position: number },
): Promise<void> {
  const { width, position, taken, tell, options } = check;
  const sequences = tile.sequences.slice(0, width);
  const events = await readEvents(transaction, sequences);
  let afterMs: number | undefined;
  for (const [place, sequence] of sequences.entries()) {
    taken.add(sequence);
    const event = events.get(sequence);
    if (event === undefined) {
      const after = sequences.slice(place + 1).find((each) => events.has(each));
      tell({
        kind: "event_deleted",
        position: position + place,
        event: { sequence, type: undefined, atMs: undefined },
        afterMs,
        beforeMs: after === undefined ? undefined : events.get(after)?.atMs,
      });
      continue;
    }
    afterMs = event.atMs;
    if (!hashLeaf(formatEntry(event)).equals(hashAt(tile.hashes, place)))
      tell({ kind: "event_edited", position: position + place, event: named(event) });
    options.visit?.(event);
  }
}

/** Events by their numbers, which mostly follow each other. */
async function readEvents(
  transaction: ReadTransaction,
  sequences: readonly number[],
): Promise<ReadonlyMap<number, RawEvent>> {
  const events = new Map<number, RawEvent>();
  for (let first = 0; first < sequences.length;) {
    let last = first;
    while (last + 1 < sequences.length && sequences[last + 1] === Number(sequences[last]) + 1) last++;
    const [from = 0, to = 0] = [sequences[first], sequences[last]];
    for (const event of await listRawEvents(transaction, { from, to, limit: last - first + 1 }))
      events.set(event.sequence, event);
    first = last + 1;
  }
  return events;
}

/**
 * Names the events that are there and not in the tree.
 *
 * @returns how many of them are only not taken yet
 */
async function checkEvents(transaction: ReadTransaction, { log, taken, tell, options }: Check): Promise<number> {
  let pending = 0;
  for (let from = Number.MIN_SAFE_INTEGER; ;) {
    options.signal?.throwIfAborted();
    const events = await listRawEvents(transaction, { from, limit: EVENTS_A_PAGE });
    for (const event of events) {
      const { sequence } = event;
      if (taken.has(sequence)) continue;
      const isOpen =
        sequence > log.lastSequence || log.holes.some(([first, last]) => sequence >= first && sequence <= last);
      if (!isOpen) tell({ kind: "event_inserted", event: named(event) });
      else {
        pending++;
        options.visit?.(event);
      }
    }
    const last = events.at(-1)?.sequence;
    if (last === undefined || events.length < EVENTS_A_PAGE) return pending;
    from = last + 1;
  }
}

function named({ sequence, type, atMs }: RawEvent): NamedEvent {
  return { sequence, type, atMs };
}
