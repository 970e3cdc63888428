import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { ColumnFacts } from "./column-facts.ts";
import type { CountedValues, FetchedValues } from "./counted-values.ts";
import type { DistinctSketch } from "./distinct-sketch.ts";

const FORMAT = "profile-state/1";

/**
 * What the profile of a table's latest version was made of, so that the profile of more rows need not read these again.
 * Nothing is lost with it: without it all rows are read.
 */
export interface ProfileState {
  readonly format: typeof FORMAT;
  /** The table's version, and the digest of its log entry. */
  readonly deltaVersion: number;
  readonly logDigest: string;
  /** What {@link HASHES} says: sketches of other hashes are worth nothing. */
  readonly hashes: string;
  readonly rowCount: number;
  /** Rows of the sample of columns with many values, the same rows for all of them. */
  readonly sampleRows: number;
  readonly columns: readonly ColumnState[];
}

export interface ColumnState {
  readonly name: string;
  readonly type: string;
  readonly facts: ColumnFacts;
  /** All values, of a column with few. */
  readonly counted: CountedValues | undefined;
  readonly many: { readonly sketch: DistinctSketch; readonly sample: FetchedValues } | undefined;
}

/** SQL of hashes that differ where the hash function does. */
export const HASHES = "concat_ws(' ', hash('a'), hash(1::BIGINT), hash(0.5::DOUBLE), hash(date '2020-01-01'))";

/** Readers and cleaners of Delta tables leave alone what begins with `_`. */
function pathOf(table: string): string {
  return join(table, "_esteira", "profile-state");
}

/** Undefined when there is none, or one that is damaged or of another format. */
export async function readProfileState(table: string): Promise<ProfileState | undefined> {
  try {
    const bytes = await readFile(pathOf(table));
    const content = bytes.subarray(DIGEST_BYTES);
    if (!digestOf(content).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
    const state: ProfileState = deserialize(content);
    return state.format === FORMAT ? state : undefined;
  } catch {
    return undefined;
  }
}

const DIGEST_BYTES = 32;

function digestOf(content: Buffer): Buffer {
  return createHash("sha256").update(content).digest();
}

/** Takes the place of the one before. */
export async function writeProfileState(table: string, state: Omit<ProfileState, "format">): Promise<void> {
  const content = serialize({ format: FORMAT, ...state });
  const path = pathOf(table);
  await mkdir(join(table, "_esteira"), { recursive: true, mode: 0o700 });
  // One writer at a time has the table; a torn file is told by its digest.
  await writeFile(`${path}.new`, Buffer.concat([digestOf(content), content]), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
