import { createWriteStream } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { createDigester, type Digest } from "#base";
import { type TarEntry, tarOf } from "../tar.ts";

/** Byte of a gzip header that names the system it was written on; 255 is none (RFC 1952). */
const SYSTEM_AT = 9;
const NO_SYSTEM = 255;
const LEVEL = 9;

export interface WrittenArchive {
  /** Of the compressed bytes. */
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Of the archive before it was compressed. */
  readonly tarDigest: Digest;
}

/** The entries of an archive of a folder: folders before what is in them, sorted by the bytes of their path. */
export async function entriesOf(folder: string, prefix = ""): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = parentsOf(prefix).map((path) => ({ path, sizeBytes: 0 }));
  const paths = (await readdir(folder, { recursive: true })).map((name) => name.split(sep).join("/"));
  for (const path of paths) {
    const file = join(folder, path);
    const facts = await lstat(file);
    if (facts.isDirectory()) entries.push({ path: `${prefix}${path}/`, sizeBytes: 0 });
    else if (facts.isFile())
      entries.push({
        path: prefix + path,
        file,
        sizeBytes: facts.size,
        ...((facts.mode & 0o100) === 0 ? {} : { executable: true }),
      });
  }
  return entries.sort((left, right) => Buffer.compare(Buffer.from(left.path), Buffer.from(right.path)));
}

/** `a/b/` → `a/`, `a/b/`. */
function parentsOf(prefix: string): readonly string[] {
  const parts = prefix.split("/").filter((part) => part !== "");
  return parts.map((_part, index) => `${parts.slice(0, index + 1).join("/")}/`);
}

/** Writes entries as a compressed archive: equal entries give equal bytes, wherever and whenever they are written. */
export async function writeArchive(
  entries: readonly TarEntry[],
  file: string,
  signal: AbortSignal,
): Promise<WrittenArchive> {
  const plain = createDigester();
  const packed = createDigester();
  let sizeBytes = 0;
  await pipeline(
    Readable.from(tarOf(entries)),
    async function* digestPlain(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        plain.update(chunk);
        yield chunk;
      }
    },
    createGzip({ level: LEVEL }),
    async function* digestPacked(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of withoutSystem(chunks)) {
        packed.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(file),
    { signal },
  );
  return { digest: packed.digest(), sizeBytes, tarDigest: plain.digest() };
}

async function* withoutSystem(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const chunk of chunks) {
    if (at <= SYSTEM_AT && at + chunk.length > SYSTEM_AT) chunk[SYSTEM_AT - at] = NO_SYSTEM;
    at += chunk.length;
    yield chunk;
  }
}
