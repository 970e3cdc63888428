import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize, resolve, sep } from "node:path";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { routeMissing } from "../errors.ts";
import { chooseEncoding, compress, type Encoding, isCompressible, varyByEncoding } from "./compress-answers.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

// Styles are set by the component library at run time; scripts come from our files only.
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

const NOT_BUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>esteira</title>
<body style="font:16px/1.5 system-ui;margin:15vh auto;max-width:34rem;padding:0 1rem">
<h1>The page is not built yet</h1><p>Run <code>npm run build:web</code> in esteira's folder; this page then opens by itself.</p>
<p lang="pt-BR">Execute <code>npm run build:web</code> na pasta do esteira; esta página abre em seguida.</p></body></html>`;

/** Folders of calls: what is not there is no page either, whoever asks. */
const CALLS = /^\/(api|ajax-api|endpoints|v2|hooks)(\/|$)/;

/** A file of the build, found. */
interface FoundFile {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  /** Changes with its content. */
  readonly mark: string;
}

/** Compressed forms of files, each made once. */
type CompressedFiles = Map<string, Promise<Buffer>>;

/**
 * Serves the built web page: its files, and the page itself at the addresses of its own pages. Elsewhere there is
 * nothing: a person, whose browser asks for HTML, is told by the page, with 404; everybody else by a JSON error.
 *
 * @param folder absolute folder of the build; looked at per request, so that a later build is seen
 */
export function serveWebPage(server: FastifyInstance, folder: string): void {
  const compressed: CompressedFiles = new Map();
  server.get("/*", { config: { open: "the page holds no data" } }, async (request, reply) => {
    const path = request.raw.url?.split("?")[0] ?? "/";
    const accepted = request.headers.accept ?? "*/*";
    // Loaded with the first page: the contract behind it takes a while, and clients of MLflow never need it.
    const { isPagePath } = await import("#api");
    if (isPagePath(path) && /text\/html|\*\/\*|text\/\*/.test(accepted))
      return sendPage(request, reply, { folder, compressed });
    const file = await findFile(folder, path);
    if (file !== undefined) {
      reply.header("cache-control", path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
      return sendFile(request, reply, { file, compressed });
    }
    // Browsers name text/html; programs and curl do not.
    if (accepted.includes("text/html") && !CALLS.test(path) && !path.startsWith("/assets/"))
      return sendPage(request, reply.code(404), { folder, compressed });
    throw routeMissing({ method: request.method, path });
  });
}

async function findFile(folder: string, path: string): Promise<FoundFile | undefined> {
  const file = resolve(folder, `.${normalize(decode(path))}`);
  if (!file.startsWith(resolve(folder) + sep) || file.includes("\0")) return undefined;
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) return undefined;
  return {
    path: file,
    type: TYPES[extname(file)] ?? "application/octet-stream",
    sizeBytes: found.size,
    mark: `${found.size.toString(36)}-${Math.round(found.mtimeMs).toString(36)}`,
  };
}

/** A path that cannot be decoded names no file. */
function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return "/";
  }
}

/**
 * Sends a file, compressed where the client takes it, or 304 when the client has it. Each form has an ETag of its own.
 */
async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { file, compressed }: { readonly file: FoundFile; readonly compressed: CompressedFiles },
): Promise<FastifyReply> {
  const encoding = isCompressible(file.type, file.sizeBytes)
    ? chooseEncoding(request.headers["accept-encoding"], ["br", "gzip"])
    : undefined;
  if (isCompressible(file.type, file.sizeBytes)) varyByEncoding(reply);
  const etag = `"${file.mark}${encoding === undefined ? "" : `-${encoding}`}"`;
  reply.header("etag", etag);
  if (isSame(request.headers["if-none-match"], etag)) return reply.code(304).send();
  reply.type(file.type);
  if (encoding !== undefined)
    return reply.header("content-encoding", encoding).send(await compressedFile(file, encoding, compressed));
  return reply.header("content-length", file.sizeBytes).send(createReadStream(file.path));
}

function isSame(condition: string | undefined, etag: string): boolean {
  return (
    condition !== undefined &&
    condition.split(",").some((each) => each.trim().replace(/^W\//, "") === etag || each.trim() === "*")
  );
}

function compressedFile(file: FoundFile, encoding: Encoding, compressed: CompressedFiles): Promise<Buffer> {
  const key = `${file.path}\u0000${file.mark}\u0000${encoding}`;
  const known = compressed.get(key);
  if (known !== undefined) return known;
  const made = readFile(file.path).then((bytes) => compress(bytes, encoding, true));
  made.catch(() => compressed.delete(key));
  // A build replaces the files before it; what they were is not kept.
  for (const other of compressed.keys())
    if (other.startsWith(`${file.path}\u0000`) && !other.includes(`\u0000${file.mark}\u0000`)) compressed.delete(other);
  compressed.set(key, made);
  return made;
}

async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  { folder, compressed }: { readonly folder: string; readonly compressed: CompressedFiles },
): Promise<FastifyReply> {
  reply.header("cache-control", "no-cache").header("content-security-policy", CONTENT_SECURITY_POLICY);
  const file = await findFile(folder, "/index.html");
  if (file === undefined) return reply.type(TYPES[".html"] ?? "").send(NOT_BUILT);
  if (reply.statusCode !== 200) return reply.type(file.type).send(await readFile(join(folder, "index.html")));
  return sendFile(request, reply, { file, compressed });
}
