import { extname, posix } from "node:path";
import type { ByteRange, OpenFile } from "#storage";
import type { MlflowRequest, MlflowResponse } from "./mlflow-rest/call.ts";

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

/** The answer that sends an open file, whole or one range of it. */
export async function artifactDownload(
  opened: OpenFile,
  path: string,
  request: Pick<MlflowRequest, "method" | "headers">,
): Promise<MlflowResponse> {
  const { sizeBytes, etag } = opened;
  const name = posix.basename(path);
  const common = {
    "content-type": contentTypeOf(name),
    "content-disposition": `attachment; filename=${quoted(name)}`,
    "x-content-type-options": "nosniff",
    "accept-ranges": "bytes",
    etag,
    // An artifact of a hostile client must not act in the name of the user who looks at it.
    "content-security-policy": "sandbox; default-src 'none'",
  };
  const range = requestedRange(request, sizeBytes, etag);
  if (range === "unsatisfiable") {
    await opened.close();
    return { status: 416, headers: { ...common, "content-range": `bytes */${sizeBytes}` }, text: "" };
  }
  if (range === undefined) return { headers: { ...common, "content-length": String(sizeBytes) }, ...bodyOf(opened) };
  const rangeBytes = range.end - range.start + 1;
  return {
    status: 206,
    headers: {
      ...common,
      "content-length": String(rangeBytes),
      "content-range": `bytes ${range.start}-${range.end}/${sizeBytes}`,
    },
    ...bodyOf(opened, range),
  };
}

/** What can be read in place is sent the fast way. */
function bodyOf(opened: OpenFile, range?: ByteRange): Pick<MlflowResponse, "file" | "stream"> {
  const { handle, sizeBytes } = opened;
  if (handle === undefined) return { stream: opened.read(range) };
  const start = range?.start ?? 0;
  return { file: { handle, start, sizeBytes: range === undefined ? sizeBytes : range.end - start + 1 } };
}

/** RFC 9110: ranges are for GET, and a range of another content than the client knows (`If-Range`) is no use to it. */
function requestedRange(
  { method, headers }: Pick<MlflowRequest, "method" | "headers">,
  sizeBytes: number,
  etag: string,
): ReturnType<typeof parseRange> {
  const condition = headers["if-range"];
  return method === "GET" && (condition === undefined || condition === etag)
    ? parseRange(headers["range"], sizeBytes)
    : undefined;
}

/** One range of RFC 9110; what cannot be understood, and lists of ranges, are answered with the whole. */
export function parseRange(
  header: unknown,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | "unsatisfiable" | undefined {
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
