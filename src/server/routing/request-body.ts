import type { IncomingMessage } from "node:http";
import type { Readable, Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { assertJsonDepth, messageOf } from "#base";
import { bodyTooLarge, encodingUnknown, requestInvalid, requestRefused } from "../errors.ts";

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
export function decodeBody(raw: IncomingMessage): Readable {
  const found = (raw.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (found === "identity" || found === "") return raw;
  const create = DECODERS[found];
  if (create === undefined) throw encodingUnknown({ found });
  const decoder = create();
  // Not a pipeline: that would cut the connection when decompressing fails, before the answer that says so.
  raw.once("close", () => {
    if (!raw.complete) decoder.destroy(new Error("the client went away"));
  });
  // Whoever reads it hears of an error; when nobody does any more, it is none.
  decoder.on("error", () => undefined);
  decoder.once("close", () => raw.unpipe(decoder).resume());
  return raw.pipe(decoder);
}

/** A JSON document, not nested too deep. @throws SERVER_REQUEST_INVALID */
export function parseJsonBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    assertJsonDepth(text);
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw requestInvalid({ where: "body", problems: [`it is no JSON (${messageOf(error)})`] }, error);
  }
}

/**
 * Reads a body to its end, or until it is larger than allowed: it is not decompressed further then.
 *
 * @throws SERVER_BODY_TOO_LARGE, SERVER_ENCODING_UNKNOWN, SERVER_REQUEST_INVALID
 */
export async function readBody(raw: IncomingMessage, largestBytes: number): Promise<Buffer> {
  const body = decodeBody(raw);
  // What says itself that it is too large is not read at all.
  if (body === raw && Number(raw.headers["content-length"] ?? 0) > largestBytes) throw bodyTooLarge({ largestBytes });
  try {
    return await collect(body, largestBytes);
  } catch (error) {
    if (!/^Z_|^ERR_(PADDING|_ERROR_FORMAT|BROTLI)/.test(String((error as NodeJS.ErrnoException).code))) throw error;
    throw requestInvalid({ where: "body", problems: [`it cannot be decompressed (${messageOf(error)})`] }, error);
  } finally {
    if (body !== raw) body.destroy();
  }
}

function collect(body: Readable, largestBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const settle = (finish: () => void): void => {
      body.off("data", take).off("end", end).off("error", fail).off("close", close);
      finish();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const take = (chunk: Buffer): void => {
      sizeBytes += chunk.length;
      if (sizeBytes > largestBytes) return fail(bodyTooLarge({ largestBytes }));
      chunks.push(chunk);
    };
    const end = (): void => settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    const close = (): void =>
      fail(requestRefused({ status: 400, reason: "the client went away before its body ended" }));
    body.on("data", take).once("end", end).once("error", fail).once("close", close);
  });
}
