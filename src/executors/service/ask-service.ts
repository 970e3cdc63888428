import { request } from "node:http";
import type { Readable } from "node:stream";

const MINUTE_MS = 60_000;
/** A language model may think for minutes before it says its first word; OpenAI's client waits for ten. */
const FIRST_BYTE_MINUTES = 10;
const BETWEEN_BYTES_MINUTES = 2;

/** What is sent to a service of this machine. */
export interface ServiceCall {
  /** Of its front. */
  readonly port: number;
  /** `/v1/chat/completions` */
  readonly path: string;
  /** JSON */
  readonly body: Uint8Array;
  readonly requestId: string;
  readonly accept: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The head of an answer, and its bytes as they come. */
export interface ServiceAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Readable;
}

/**
 * Asks a service; resolves with the head of its answer. Of whoever asks it gets no header but what form of answer is
 * wanted: neither a token nor cookies. Rejects when it cannot be reached, says nothing for ten minutes (then for two
 * between its bytes), or the signal aborts.
 */
export function askService(call: ServiceCall): Promise<ServiceAnswer> {
  const { port, path, body, requestId, accept, signal } = call;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(new Error("the caller left"));
    const sent = request({
      host: "127.0.0.1",
      port,
      path,
      method: "POST",
      agent: false,
      headers: {
        "content-type": "application/json",
        "content-length": body.byteLength,
        accept: accept ?? "application/json",
        "accept-encoding": "identity",
        "x-request-id": requestId,
      },
    });
    const leave = (): void => void sent.destroy(new Error("the caller left"));
    signal?.addEventListener("abort", leave, { once: true });
    const timer = setTimeout(() => sent.destroy(silent(FIRST_BYTE_MINUTES)), FIRST_BYTE_MINUTES * MINUTE_MS);
    sent.once("response", (response) => {
      clearTimeout(timer);
      sent.setTimeout(BETWEEN_BYTES_MINUTES * MINUTE_MS, () => response.destroy(silent(BETWEEN_BYTES_MINUTES)));
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
    });
    sent.once("close", () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function silent(minutes: number): Error {
  return new Error(`it said nothing for ${minutes} minutes`);
}
