import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rename, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const BLOCK = 512;
const LONGEST_NAME_BYTES = 100;
const PIECE_BYTES = 1024 * 1024;

/** One file or folder of an archive. */
export interface TarEntry {
  /** With `/`; of a folder with one at its end. */
  readonly path: string;
  /** Absolute file with the content; undefined for a folder. */
  readonly file?: string;
  readonly sizeBytes: number;
  readonly executable?: boolean;
}

/**
 * Writes the files of a folder as a tar archive: sorted, without times or owners, so that equal folders give equal
 * bytes.
 */
export async function writeTar(folder: string, file: string): Promise<void> {
  const partial = `${file}.partial`;
  await pipeline(Readable.from(tarOf(await listFiles(folder))), createWriteStream(partial));
  await rename(partial, file);
}

async function listFiles(folder: string): Promise<readonly TarEntry[]> {
  const found: TarEntry[] = [];
  for (const path of (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join("/")).sort()) {
    const file = join(folder, path);
    const facts = await stat(file);
    if (facts.isFile()) found.push({ path, file, sizeBytes: facts.size });
  }
  return found;
}

/** The bytes of an archive: entries as they come, time 0, owner 0, equal entries equal bytes. */
export async function* tarOf(entries: Iterable<TarEntry>): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    yield* headersOf(entry);
    if (entry.file === undefined) continue;
    for await (const chunk of createReadStream(entry.file, { highWaterMark: PIECE_BYTES })) yield chunk as Buffer;
    yield padding(entry.sizeBytes);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

/** A name that does not fit the header stands in an extended one before it (POSIX.1-2001, pax). */
function* headersOf({ path, file, sizeBytes, executable }: TarEntry): Generator<Buffer> {
  const mode = file === undefined || executable === true ? "0000755" : "0000644";
  const type = file === undefined ? "5" : "0";
  if (Buffer.byteLength(path) > LONGEST_NAME_BYTES) {
    const record = paxRecord("path", path);
    yield header({ path: "././@PaxHeader", sizeBytes: record.length, mode: "0000644", type: "x" });
    yield record;
    yield padding(record.length);
  }
  yield header({ path, sizeBytes, mode, type });
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  const restBytes = Buffer.byteLength(rest);
  let length = restBytes;
  while (length !== restBytes + String(length).length) length = restBytes + String(length).length;
  return Buffer.from(`${length}${rest}`);
}

/** POSIX ustar; a size beyond 8 GiB is written in base 256, as GNU tar does. */
function header({
  path,
  sizeBytes,
  mode,
  type,
}: {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mode: string;
  readonly type: string;
}): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0, LONGEST_NAME_BYTES);
  block.write(`${mode}\0`, 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  if (sizeBytes < 8 ** 11) block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  else {
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(type, 156);
  block.write("ustar\u000000", 257);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
