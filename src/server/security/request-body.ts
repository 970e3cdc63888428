import type { IncomingMessage } from "node:http";
import type { Readable, Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { assertJsonDepth } from "#base";
import { bodyTooLarge, encodingUnknown, requestInvalid } from "../errors.ts";

const MEBIBYTE = 2 ** 20;

/** The largest body of each kind of route, in bytes once decompressed. */
export const LARGEST_BODY_BYTES = {
  /** Calls of the API: a few fields. */
  api: MEBIBYTE,
  /** Rows and tensors; labels. */
  predictions: 64 * MEBIBYTE,
  features: 16 * MEBIBYTE,
  /** What GitHub sends at most. */
  push: 25 * MEBIBYTE,
  mlflow: 64 * MEBIBYTE,
} as const;

/** The body as the client meant it. `receivedEncodedLength` is what came over the wire so far, in bytes. */
type DecodedBody = Readable & { receivedEncodedLength?: number };

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * A request's body, decompressed while it is read. How much may come out is for the reader to limit: nothing is held
 * here.
 *
 * @throws SERVER_ENCODING_UNKNOWN
 */
export function decodeBody(raw: IncomingMessage): DecodedBody {
  const found = (raw.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (found === "identity" || found === "") return raw;
  const create = DECODERS[found];
  if (create === undefined) throw encodingUnknown({ found });
  const decoder: DecodedBody & Transform = create();
  decoder.receivedEncodedLength = 0;
  raw.on(
    "data",
    (chunk: Buffer) => (decoder.receivedEncodedLength = (decoder.receivedEncodedLength ?? 0) + chunk.length),
  );
  // Not a pipeline: that would cut the connection when decompressing fails, before the answer that says so.
  raw.once("close", () => {
    if (!raw.complete) decoder.destroy(new Error("the client went away"));
  });
  // Whoever reads it hears of an error; when nobody does any more, it is none.
  decoder.on("error", () => undefined);
  decoder.once("close", () => raw.unpipe(decoder).resume());
  return raw.pipe(decoder);
}

/** Lets every route read compressed bodies. A body that grows beyond its route's limit is not decompressed further. */
export function decodeBodies(server: FastifyInstance): void {
  server.addHook("preParsing", async (request, reply, payload) => {
    if (request.headers["content-encoding"] === undefined) return payload;
    const body = decodeBody(request.raw);
    reply.raw.once("close", () => body.destroy());
    return body;
  });
}

/** A JSON document, not nested too deep. @throws SERVER_REQUEST_INVALID */
export function parseJsonBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    assertJsonDepth(text);
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw requestInvalid({ where: "body", problems: [`it is no JSON (${(error as Error).message})`] }, error);
  }
}

/** Reads a body to its end. @throws SERVER_BODY_TOO_LARGE, SERVER_ENCODING_UNKNOWN */
export async function readBody(raw: IncomingMessage, largestBytes: number): Promise<Buffer> {
  const body = decodeBody(raw);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > largestBytes) throw bodyTooLarge({ largestBytes });
      chunks.push(chunk);
    }
  } catch (error) {
    if (!/^Z_|^ERR_(PADDING|_ERROR_FORMAT|BROTLI)/.test(String((error as NodeJS.ErrnoException).code))) throw error;
    throw requestInvalid(
      { where: "body", problems: [`it cannot be decompressed (${(error as Error).message})`] },
      error,
    );
  } finally {
    if (body !== raw) body.destroy();
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}
