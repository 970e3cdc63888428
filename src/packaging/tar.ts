import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rename, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const BLOCK = 512;

/**
 * Writes the files of a folder as a tar archive: sorted, without times or owners, so that equal folders give equal
 * bytes. Paths are at most 100 bytes.
 */
export async function writeTar(folder: string, file: string): Promise<void> {
  const partial = `${file}.partial`;
  await pipeline(Readable.from(entries(folder)), createWriteStream(partial));
  await rename(partial, file);
}

async function* entries(folder: string): AsyncGenerator<Buffer> {
  for (const path of (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join("/")).sort()) {
    const facts = await stat(join(folder, path));
    if (!facts.isFile()) continue;
    yield header(path, facts.size);
    for await (const chunk of createReadStream(join(folder, path), { highWaterMark: 1024 * 1024 }))
      yield chunk as Buffer;
    yield Buffer.alloc((BLOCK - (facts.size % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** POSIX ustar; a size beyond 8 GiB is written in base 256, as GNU tar does. */
function header(path: string, sizeBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0, 100);
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  if (sizeBytes < 8 ** 11) block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  else {
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
