import type { MetadataStore } from "#metadata-store";
import { getEventLog, listEventTiles, listRawEvents, TILE_WIDTH } from "#metadata-store/audit";
import { type Checkpoint, checkSignature, parseCheckpoint } from "./checkpoint.ts";
import { formatEntry } from "./entry.ts";
import { eventUnknown, proofInvalid } from "./errors.ts";
import { createTreeReader } from "./event-tree.ts";
import { hashLeaf, rootOfPath } from "./merkle-tree.ts";

const HEADER = "c2sp.org/tlog-proof@v1";

/** What a proof says, checked. */
export interface ProvenEvent {
  /** The canonical event, JSON. */
  readonly entry: string;
  /** Place in the log, from 0. */
  readonly index: number;
  readonly checkpoint: Checkpoint;
}

/**
 * A file by which anybody can check that an event stands in the log that a checkpoint signs: C2SP `tlog-proof@v1`, with
 * the canonical event as its extra data.
 *
 * @param sequence number of the event
 * @throws GOVERNANCE_EVENT_UNKNOWN when the checkpoint does not cover it, GOVERNANCE_EVENT_LOG_DAMAGED
 */
export async function proveEvent(store: MetadataStore, sequence: number, checkpoint: Checkpoint): Promise<string> {
  return store.readLong(async (transaction) => {
    const [event] = await listRawEvents(transaction, { from: sequence, to: sequence, limit: 1 });
    const index = event === undefined ? undefined : await findIndex(store, sequence);
    if (event === undefined || index === undefined || index >= checkpoint.size)
      throw eventUnknown({ event: String(sequence) });
    const path = await createTreeReader(transaction).pathTo(index, checkpoint.size);
    return [
      HEADER,
      `extra ${Buffer.from(formatEntry(event)).toString("base64")}`,
      `index ${index}`,
      ...path.map((hash) => hash.toString("base64")),
      "",
      checkpoint.note,
    ].join("\n");
  });
}

/** Place of an event: mostly near its number, as few numbers are empty. */
async function findIndex(store: MetadataStore, sequence: number): Promise<number | undefined> {
  return store.readLong(async (transaction) => {
    const { size } = await getEventLog(transaction);
    const lastTile = Math.floor(Math.max(0, size - 1) / TILE_WIDTH);
    // Every place is at most the number less one, where numbers start at 1; late ones come after that.
    const likely = Math.min(lastTile, Math.floor(Math.max(0, sequence - 1) / TILE_WIDTH));
    const search = async (from: number, to: number): Promise<number | undefined> => {
      for (let number = from; number <= to;) {
        const tiles = await listEventTiles(transaction, { level: 0, from: number, limit: 16 });
        for (const tile of tiles) {
          const place = tile.sequences.indexOf(sequence);
          if (place >= 0) return tile.number * TILE_WIDTH + place;
        }
        const last = tiles.at(-1)?.number;
        if (last === undefined) return undefined;
        number = last + 1;
      }
      return undefined;
    };
    return (await search(likely, likely)) ?? search(0, lastTile);
  });
}

/**
 * Checks a proof with nothing but the verifier key of the log.
 *
 * @throws GOVERNANCE_PROOF_INVALID
 */
export function checkProof(
  text: string,
  options: { readonly file: string; readonly verifierKey: string },
): ProvenEvent {
  const { file, verifierKey } = options;
  const { entry, place, path, checkpoint } = readProof(text, file);
  const answer = checkSignature(checkpoint.note, verifierKey);
  if (answer !== "signed") throw proofInvalid({ file, reason: REASONS[answer] });
  if (rootOfPath(hashLeaf(entry), path, place)?.equals(checkpoint.root) !== true)
    throw proofInvalid({ file, reason: "its path does not lead from the event to the root of the checkpoint" });
  return { entry: entry.toString("utf8"), index: place.index, checkpoint };
}

const REASONS = {
  forged: "the signature of its checkpoint is false",
  unsigned: "its checkpoint is signed by another key",
  "key-invalid": "the key to check it with is no verifier key",
} as const;

function readProof(
  text: string,
  file: string,
): {
  readonly entry: Buffer;
  readonly place: { readonly index: number; readonly size: number };
  readonly path: readonly Buffer[];
  readonly checkpoint: Checkpoint;
} {
  const [head = "", ...rest] = text.split("\n\n");
  const [header, extra = "", indexLine = "", ...hashes] = head.split("\n");
  if (header !== HEADER) throw proofInvalid({ file, reason: `its first line is not ${HEADER}` });
  const entry = /^extra ([A-Za-z0-9+/]+={0,2})$/.exec(extra)?.[1];
  if (entry === undefined) throw proofInvalid({ file, reason: "its second line holds no event" });
  const index = /^index (0|[1-9]\d{0,15})$/.exec(indexLine)?.[1];
  if (index === undefined) throw proofInvalid({ file, reason: "its third line is no index" });
  if (hashes.some((hash) => !/^[A-Za-z0-9+/]{43}=$/.test(hash)))
    throw proofInvalid({ file, reason: "a line of its path is no hash of 32 bytes" });
  const checkpoint = parseCheckpoint(rest.join("\n\n"));
  if (checkpoint === undefined) throw proofInvalid({ file, reason: "it ends without a checkpoint" });
  return {
    entry: Buffer.from(entry, "base64"),
    place: { index: Number(index), size: checkpoint.size },
    path: hashes.map((hash) => Buffer.from(hash, "base64")),
    checkpoint,
  };
}
