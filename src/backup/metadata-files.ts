import { createReadStream, createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { SnapshotRow, SnapshotValue } from "#metadata-store/snapshot";

const ROWS_PER_BATCH = 1000;
/** Digits from which on a number may not be exact in a double. */
const MANY_DIGITS = /\d{16}/;

/** Writes the rows of a table, one of JSON on each line; resolves to their number. */
export async function writeTable(
  file: string,
  batches: AsyncIterable<readonly SnapshotRow[]>,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const rows of batches) {
      signal.throwIfAborted();
      count += rows.length;
      yield rows.map((row) => `${toLine(row)}\n`).join("");
    }
  };
  await pipeline(
    Readable.from(lines()),
    createGzip({ level: 1 }),
    createWriteStream(file, { flush: true, mode: 0o600 }),
  );
  return count;
}

/** The rows that `writeTable` wrote, in batches. */
export async function* readTable(file: string): AsyncGenerator<readonly SnapshotRow[]> {
  let batch: SnapshotRow[] = [];
  const input = createReadStream(file).pipe(createGunzip());
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    batch.push(fromLine(line));
    if (batch.length < ROWS_PER_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Where the metadata of one backup are. */
export async function makeMetadataFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}

/** JSON with whole numbers of any size, and doubles that JSON cannot hold as `{ "double": "NaN" }`. */
function toLine(row: SnapshotRow): string {
  const fields = Object.entries(row).map(([column, value]) => `${JSON.stringify(column)}:${toJson(value)}`);
  return `{${fields.join(",")}}`;
}

function toJson(value: SnapshotValue): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
    return JSON.stringify({ double: Object.is(value, -0) ? "-0" : String(value) });
  return JSON.stringify(value);
}

function fromLine(line: string): SnapshotRow {
  const row: Readonly<Record<string, SnapshotValue | { readonly double: string }>> = MANY_DIGITS.test(line)
    ? JSON.parse(line, (_, value: unknown, context?: { readonly source?: string }) =>
        typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
          ? BigInt(context?.source ?? "")
          : value,
      )
    : JSON.parse(line);
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      typeof value === "object" && value !== null ? Number(value.double) : value,
    ]),
  );
}
