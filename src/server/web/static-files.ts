import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize, resolve, sep } from "node:path";
import type { FastifyInstance, FastifyReply } from "fastify";
import { routeMissing } from "../errors.ts";

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

/**
 * Serves the built web page; every path that is no file and no API answers with the page itself, which routes by its own.
 *
 * @param folder absolute folder of the build; looked at per request, so that a later build is seen
 */
export function serveWebPage(server: FastifyInstance, folder: string): void {
  server.get("/", (_request, reply) => sendPage(reply, folder));
  server.get("/*", async (request, reply) => {
    const path = decodeURIComponent(request.url.split("?")[0] ?? "/");
    if (/^\/(api|ajax-api|endpoints|v2|hooks)\//.test(path)) throw routeMissing({ method: request.method, path });
    const file = resolve(folder, `.${normalize(path)}`);
    const found = file.startsWith(resolve(folder) + sep) ? await stat(file).catch(() => undefined) : undefined;
    // Names of datasets and models may hold dots: only our own assets are files for certain.
    if (found?.isFile() !== true) return path.startsWith("/assets/") ? Promise.reject(routeMissing({ method: request.method, path })) : sendPage(reply, folder);
    reply.header("cache-control", path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
    return reply.type(TYPES[extname(file)] ?? "application/octet-stream").header("content-length", found.size).send(createReadStream(file));
  });
}

async function sendPage(reply: FastifyReply, folder: string): Promise<FastifyReply> {
  const page = await readFile(join(folder, "index.html"), "utf8").catch(() => NOT_BUILT);
  return reply.type(TYPES[".html"] ?? "").header("cache-control", "no-cache").header("content-security-policy", CONTENT_SECURITY_POLICY).send(page);
}
