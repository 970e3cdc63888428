import { randomUUID } from "node:crypto";
import { storageFailed } from "../errors.ts";
import type { FileContent, FileStat, PutCondition } from "../files.ts";
import { piecesOf } from "./file-system-files.ts";
import { type S3Client, WRITE_HEADER } from "./s3-client.ts";
import { statStored } from "./s3-read.ts";
import { elementOf } from "./s3-xml.ts";

/** Parts grow with their number: 10 000, the most that S3 takes, then hold 432 GiB. */
const PARTS_OF_A_SIZE = 1000;

/** Stores a content, in parts where it is larger than one; undefined where the condition does not hold. */
export async function putStored(
  client: S3Client,
  put: {
    readonly path: string;
    readonly content: FileContent;
    readonly condition: PutCondition | undefined;
    readonly partBytes: number;
  },
): Promise<FileStat | undefined> {
  const { path, condition } = put;
  const parts = partsOf(put.content, put.partBytes)[Symbol.asyncIterator]();
  const first = await parts.next();
  const second = first.done === true ? first : await parts.next();
  if (second.done !== true && first.done !== true)
    return putParts(client, { path, condition, parts: resumed([first.value, second.value], parts) });
  return putWhole(client, { path, condition, body: first.done === true ? Buffer.alloc(0) : first.value });
}

async function putWhole(
  client: S3Client,
  { path, body, condition }: Putting & { readonly body: Buffer },
): Promise<FileStat | undefined> {
  const write = randomUUID();
  const { response, attempts } = await client.send({
    method: "PUT",
    key: client.key(path),
    headers: { ...conditionHeaders(condition), [WRITE_HEADER]: write },
    body,
    accept: condition === undefined ? [] : NOT_MET,
  });
  await response.arrayBuffer();
  if (response.ok) return { sizeBytes: body.byteLength, etag: response.headers.get("etag") ?? "" };
  // An earlier attempt may have been carried out: then the file that is in the way is this one.
  const found = attempts === 1 ? undefined : await statStored(client, path);
  return found?.write === write ? { sizeBytes: found.sizeBytes, etag: found.etag } : undefined;
}

async function putParts(
  client: S3Client,
  { path, parts, condition }: Putting & { readonly parts: AsyncIterable<Buffer> },
): Promise<FileStat | undefined> {
  const key = client.key(path);
  const write = randomUUID();
  const headers = { [WRITE_HEADER]: write };
  const begun = await client.send({ method: "POST", key, query: { uploads: "" }, headers });
  const uploadId = elementOf(await begun.response.text(), "UploadId") ?? "";
  let sizeBytes = 0;
  const sent: string[] = [];
  try {
    for await (const body of parts) {
      const query = { partNumber: String(sent.length + 1), uploadId };
      const { response } = await client.send({ method: "PUT", key, query, body });
      await response.arrayBuffer();
      sizeBytes += body.byteLength;
      sent.push(response.headers.get("etag") ?? "");
    }
    const body = Buffer.from(completion(sent));
    const query = { uploadId };
    const accept = [404, ...(condition === undefined ? [] : NOT_MET)];
    const { response } = await client.send({
      method: "POST",
      key,
      query,
      body,
      headers: conditionHeaders(condition),
      accept,
    });
    const text = await response.text();
    if (response.ok && elementOf(text, "Code") === undefined) return { sizeBytes, etag: elementOf(text, "ETag") ?? "" };
    // Completed by an attempt whose answer was lost: the upload is gone, and the file is this one.
    const found = await statStored(client, path);
    if (found?.write === write) return { sizeBytes, etag: found.etag };
    if (NOT_MET.includes(response.status) && condition !== undefined) {
      await abortUpload(client, key, uploadId);
      return undefined;
    }
    throw storageFailed({
      operation: "write",
      path: `${client.place}/${path}`,
      reason: elementOf(text, "Code") ?? `status ${response.status}`,
    });
  } catch (error) {
    await abortUpload(client, key, uploadId).catch(() => undefined);
    throw error;
  }
}

export async function abortUpload(client: S3Client, key: string, uploadId: string): Promise<void> {
  const { response } = await client.send({ method: "DELETE", key, query: { uploadId }, accept: [404] });
  await response.arrayBuffer();
}

interface Putting {
  readonly path: string;
  readonly condition: PutCondition | undefined;
}

/** 412: the condition does not hold. 404: a file that was to be replaced is gone. */
const NOT_MET = [412, 404];

function conditionHeaders(condition: PutCondition | undefined): Record<string, string> {
  if (condition === undefined) return {};
  return condition === "absent" ? { "if-none-match": "*" } : { "if-match": condition.etag };
}

function completion(etags: readonly string[]): string {
  const parts = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag.replaceAll('"', "&quot;")}</ETag></Part>`,
  );
  return `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
}

/** A content in pieces of the size that parts have; none for an empty one. */
async function* partsOf(content: FileContent, partBytes: number): AsyncGenerator<Buffer> {
  const pieces = typeof content === "string" || content instanceof Uint8Array ? single(content) : piecesOf(content);
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let number = 0;
  let wanted = partBytes;
  for await (const piece of pieces) {
    for (let rest = piece; rest.byteLength > 0;) {
      const taken = rest.subarray(0, wanted - heldBytes);
      held.push(taken);
      heldBytes += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (heldBytes < wanted) continue;
      yield Buffer.concat(held);
      [held, heldBytes] = [[], 0];
      wanted = partBytes * (1 + Math.floor(++number / PARTS_OF_A_SIZE));
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

async function* single(content: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield typeof content === "string" ? Buffer.from(content) : content;
}

async function* resumed(first: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
