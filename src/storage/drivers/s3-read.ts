import { isEsteiraError } from "#base";
import { fileMissing, storageFailed } from "../errors.ts";
import { fileSegments } from "../file-path.ts";
import type { ByteRange, FileStat } from "../files.ts";
import { reasonOf, type S3Client, WRITE_HEADER } from "./s3-client.ts";
import { elementOf } from "./s3-xml.ts";

export interface StoredStat extends FileStat {
  /** Which write made it; null where another program did. */
  readonly write: string | null;
}

export async function statStored(client: S3Client, path: string): Promise<StoredStat | undefined> {
  fileSegments(path);
  const { response } = await client.send({ method: "HEAD", key: client.key(path), accept: [404] });
  if (response.status !== 404)
    return {
      sizeBytes: Number(response.headers.get("content-length")),
      etag: response.headers.get("etag") ?? "",
      write: response.headers.get(WRITE_HEADER),
    };
  // A bucket that is not there has no files either, and must not look like an empty one.
  await client.send({ method: "GET", query: { "list-type": "2", "max-keys": "1" } });
  return undefined;
}

/** The whole content of a small file; undefined where there is none. */
export async function getStored(
  client: S3Client,
  path: string,
): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined> {
  fileSegments(path);
  for (let attempt = 1; ; attempt++) {
    const { response } = await client.send({ method: "GET", key: client.key(path), accept: [404] });
    if (response.status === 404) {
      if (elementOf(await response.text(), "Code") === "NoSuchBucket") await statStored(client, path);
      return undefined;
    }
    try {
      const pieces = await Array.fromAsync(bodyOf(response, client.timeoutMs));
      return { bytes: Buffer.concat(pieces), etag: response.headers.get("etag") ?? "" };
    } catch (error) {
      if (attempt >= client.attempts)
        throw storageFailed({ operation: "read", path: `${client.place}/${path}`, reason: reasonOf(error) }, error);
      await client.pause(attempt);
    }
  }
}

/** A body that breaks off is read on from where it stopped, as long as the file is the same. */
export async function* piecesOfStored(
  client: S3Client,
  { path, stat, range }: { readonly path: string; readonly stat: FileStat; readonly range?: ByteRange | undefined },
): AsyncGenerator<Buffer> {
  const { sizeBytes, etag } = stat;
  let at = range?.start ?? 0;
  const end = Math.min(range?.end ?? sizeBytes - 1, sizeBytes - 1);
  for (let attempt = 1; at <= end;) {
    const { response } = await client.send({
      method: "GET",
      key: client.key(path),
      headers: { range: `bytes=${at}-${end}`, "if-match": etag },
      accept: [404, 412],
    });
    if (!response.ok) {
      await response.arrayBuffer();
      if (response.status === 404) throw fileMissing({ path, place: client.place });
      const reason = "it was replaced while it was read";
      throw storageFailed({ operation: "read", path: `${client.place}/${path}`, reason });
    }
    try {
      for await (const piece of bodyOf(response, client.timeoutMs)) {
        at += piece.byteLength;
        attempt = 1;
        yield piece;
      }
      if (at <= end) throw new Error(`the body ended ${end + 1 - at} bytes early`);
    } catch (error) {
      if (isEsteiraError(error) || attempt >= client.attempts)
        throw storageFailed({ operation: "read", path: `${client.place}/${path}`, reason: reasonOf(error) }, error);
      await client.pause(attempt++);
    }
  }
}

/** The pieces of a body; one that says nothing for too long is cut. */
async function* bodyOf(response: Response, timeoutMs: number): AsyncGenerator<Buffer> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no byte within ${timeoutMs} ms`)), timeoutMs);
      });
      const { done, value } = await Promise.race([reader.read(), late]).finally(() => clearTimeout(timer));
      if (done) return;
      yield Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
