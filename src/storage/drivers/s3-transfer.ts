import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/** Statuses that have no body, whatever stands on the line. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * Sends one request and resolves with the head of its answer; the body is read from it. By the module of HTTP and not
 * by `fetch`, whose parser ends the process when a server closes the connection while a large body waits to be read.
 *
 * @param request.signal ends the wait for the head
 */
export async function transfer(
  url: string,
  request: {
    readonly method: string;
    readonly headers: Headers;
    readonly signal: AbortSignal;
    readonly body?: Buffer | undefined;
  },
): Promise<Response> {
  const { request: open } = await import(url.startsWith("https:") ? "node:https" : "node:http");
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = open(url, {
      method: request.method,
      headers: { ...Object.fromEntries(request.headers), "content-length": request.body?.byteLength ?? 0 },
    });
    const giveUp = (): void => void sent.destroy(new Error("", { cause: request.signal.reason }));
    request.signal.addEventListener("abort", giveUp, { once: true });
    sent.once("response", (answer: IncomingMessage) => {
      request.signal.removeEventListener("abort", giveUp);
      resolve(answer);
    });
    sent.on("error", reject);
    sent.end(request.body);
  });
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2)
    headers.append(message.rawHeaders[index] ?? "", message.rawHeaders[index + 1] ?? "");
  const hasBody = request.method !== "HEAD" && !WITHOUT_BODY.has(status);
  if (!hasBody) message.resume();
  return new Response(hasBody ? Readable.toWeb(message) : null, { status, headers });
}
