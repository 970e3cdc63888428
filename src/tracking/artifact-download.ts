import type { FileHandle } from "node:fs/promises";
import { extname, posix } from "node:path";
import { Readable } from "node:stream";
import type { MlflowResponse } from "./mlflow-rest/route.ts";

const BUFFER_BYTES = 1024 * 1024;

/** Content types by ending. Nothing here is run by a browser: `nosniff` and `attachment` go with each of them. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".gif": "image/gif",
  ".html": "text/html",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".log": "text/plain",
  ".md": "text/markdown",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".py": "text/x-python",
  ".svg": "image/svg+xml",
  ".tar": "application/x-tar",
  ".tsv": "text/tab-separated-values",
  ".txt": "text/plain",
  ".wav": "audio/wav",
  ".xml": "application/xml",
  ".yaml": "text/plain",
  ".yml": "text/plain",
  ".zip": "application/zip",
};
const PLAIN_NAMES = ["MLmodel", "MLproject"];

/** The answer that streams an open file, whole or one range of it, and closes it. */
export async function artifactDownload(
  file: { readonly handle: FileHandle; readonly sizeBytes: number },
  path: string,
  headers: Readonly<Record<string, unknown>>,
): Promise<MlflowResponse> {
  const name = posix.basename(path);
  const common = {
    "content-type": contentTypeOf(name),
    "content-disposition": `attachment; filename=${quoted(name)}`,
    "x-content-type-options": "nosniff",
    "accept-ranges": "bytes",
    // An artifact of a hostile client must not act in the name of the user who looks at it.
    "content-security-policy": "sandbox; default-src 'none'",
  };
  const range = parseRange(headers["range"], file.sizeBytes);
  if (range === "unsatisfiable") {
    await file.handle.close();
    return { status: 416, headers: { ...common, "content-range": `bytes */${file.sizeBytes}` }, text: "" };
  }
  if (range === undefined) return { headers: { ...common, "content-length": String(file.sizeBytes) }, stream: streamOf(file, undefined) };
  return {
    status: 206,
    headers: { ...common, "content-length": String(range.end - range.start + 1), "content-range": `bytes ${range.start}-${range.end}/${file.sizeBytes}` },
    stream: streamOf(file, range),
  };
}

function streamOf(file: { readonly handle: FileHandle; readonly sizeBytes: number }, range: { readonly start: number; readonly end: number } | undefined): Readable {
  if (file.sizeBytes === 0) {
    void file.handle.close();
    return Readable.from([]);
  }
  // Never beyond the announced length, also when the file is replaced or grows meanwhile.
  return file.handle.createReadStream({ highWaterMark: BUFFER_BYTES, ...(range ?? { start: 0, end: file.sizeBytes - 1 }) });
}

/** One range of RFC 9110; what cannot be understood, and lists of ranges, are answered with the whole. */
export function parseRange(header: unknown, sizeBytes: number): { readonly start: number; readonly end: number } | "unsatisfiable" | undefined {
  const match = typeof header === "string" ? /^bytes=(\d*)-(\d*)$/.exec(header.trim()) : null;
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (start >= sizeBytes || (first === "" && Number(last) === 0)) return "unsatisfiable";
  return start > end ? undefined : { start, end };
}

function contentTypeOf(name: string): string {
  if (PLAIN_NAMES.includes(name)) return "text/plain";
  return CONTENT_TYPES[extname(name).toLowerCase()] ?? "application/octet-stream";
}

function quoted(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\]/g, "_");
  const simple = /^[\w.-]+$/.test(plain) ? plain : `"${plain}"`;
  return plain === name ? simple : `${simple}; filename*=UTF-8''${encodeURIComponent(name)}`;
}
