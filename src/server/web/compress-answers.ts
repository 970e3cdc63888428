import type { FastifyInstance, FastifyReply } from "fastify";
import { promisify } from "node:util";
import { brotliCompress, constants, deflate, gzip } from "node:zlib";

/** Those in which files are kept beside themselves. */
export const ENCODINGS = ["br", "gzip"] as const;
export type Encoding = (typeof ENCODINGS)[number] | "deflate";

/** Below that, packets are not saved. */
const SMALLEST_BYTES = 1400;
const COMPRESSIBLE = /^(text\/(?!event-stream)|application\/(json|javascript|manifest\+json|xml)|image\/svg)/;
const GZIP_LEVEL = 4;
const BROTLI_QUALITY = 9;

const gzipAsync = promisify(gzip);
// RFC 9110, 8.4.1.2: the structure of zlib, not bare deflate.
const deflateAsync = promisify(deflate);
const brotliAsync = promisify(brotliCompress);

/**
 * The encoding that a client likes best; of those it likes alike the first of `ours`.
 *
 * @param accepted the header `Accept-Encoding`; without one nothing is compressed
 * Source: RFC 9110, 12.5.3.
 */
export function chooseEncoding(accepted: string | undefined, ours: readonly Encoding[]): Encoding | undefined {
  if (accepted === undefined) return undefined;
  const weights = new Map<string, number>();
  for (const part of accepted.toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((piece) => piece.trim());
    const weight = Number(parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? 1);
    weights.set(name === "x-gzip" ? "gzip" : name, Number.isFinite(weight) ? weight : 0);
  }
  const weightOf = (encoding: string): number => weights.get(encoding) ?? weights.get("*") ?? 0;
  const [best] = ours.toSorted((left, right) => weightOf(right) - weightOf(left));
  return best !== undefined && weightOf(best) > 0 ? best : undefined;
}

/** @param once for what is compressed once and sent often: takes longer, gives less */
export async function compress(bytes: Uint8Array | string, encoding: Encoding, once = false): Promise<Buffer> {
  if (encoding === "gzip") return gzipAsync(bytes, { level: once ? 9 : GZIP_LEVEL });
  if (encoding === "deflate") return deflateAsync(bytes, { level: once ? 9 : GZIP_LEVEL });
  return brotliAsync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: once ? BROTLI_QUALITY : 4 } });
}

export function isCompressible(type: string, sizeBytes: number): boolean {
  return sizeBytes >= SMALLEST_BYTES && COMPRESSIBLE.test(type);
}

/** Says that the answer differs by encoding, beside what else it differs by. */
export function varyByEncoding(reply: FastifyReply): void {
  const known = reply.getHeader("vary");
  if (known === undefined) reply.header("vary", "Accept-Encoding");
  else if (!/accept-encoding/i.test(String(known))) reply.header("vary", `${String(known)}, Accept-Encoding`);
}

/**
 * Compresses whole answers of text. Streams (events, downloads) go as they are: their routes know whether their bytes
 * are compressed already.
 * Answers to one request each: an `ETag` does not pass here.
 */
export function compressAnswers(server: FastifyInstance): void {
  server.addHook("onSend", async (request, reply, payload) => {
    if (typeof payload !== "string" && !Buffer.isBuffer(payload)) return payload;
    const isTensors = reply.hasHeader("inference-header-content-length");
    const type = String(reply.getHeader("content-type") ?? "");
    const sizeBytes = Buffer.byteLength(payload);
    if (
      reply.hasHeader("content-encoding") ||
      reply.hasHeader("etag") ||
      !isCompressible(isTensors ? "application/json" : type, sizeBytes)
    )
      return payload;
    varyByEncoding(reply);
    const encoding = chooseEncoding(request.headers["accept-encoding"], ["gzip", "br", "deflate"]);
    if (encoding === undefined || request.method === "HEAD") return payload;
    const compressed = await compress(payload, encoding);
    reply.header("content-encoding", encoding).removeHeader("content-length");
    return compressed;
  });
}
