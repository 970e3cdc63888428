import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { HOP_HEADERS } from "../hop-headers.ts";

/** An address of this machine's loopback that leads to the server, for callers of other machines. */
export interface TokenFront {
  readonly port: number;
  close(): Promise<void>;
}

/** Of one that says who calls: a login without a token would count as a caller of this machine. */
const WITH_TOKEN = /^Bearer \S+$/i;

/**
 * Passes requests on that carry a token, and refuses all others. What comes from another machine through a connection
 * of our own ends on loopback, where a caller without a token may be trusted: nobody there is to be.
 *
 * @param target where the server is, asked for each request
 */
export async function openTokenFront(target: () => Promise<string>): Promise<TokenFront> {
  const server = createServer((incoming, answer) => {
    if (!WITH_TOKEN.test(incoming.headers.authorization ?? ""))
      return refuse(incoming, answer, 401, "no token was sent");
    target().then(
      (url) => forward(incoming, answer, new URL(url)),
      () => refuse(incoming, answer, 503, "the server is not there yet"),
    );
  });
  server.keepAliveTimeout = 30_000;
  // Files of any size pass, as fast as the network lets them.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return { port: portOf(server), close: () => closeServer(server) };
}

function forward(incoming: IncomingMessage, answer: ServerResponse, url: URL): void {
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).filter(([name]) => !HOP_HEADERS.has(name) && name !== "host"),
  );
  const passed = request(
    {
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port,
      method: incoming.method,
      path: incoming.url,
      headers: { ...headers, host: url.host },
    },
    (response) => {
      const kept = Object.entries(response.headers).filter(([name]) => !HOP_HEADERS.has(name));
      answer.writeHead(response.statusCode ?? 502, Object.fromEntries(kept));
      response.pipe(answer);
      response.on("error", () => answer.destroy());
    },
  );
  passed.on("error", () => {
    if (answer.headersSent) answer.destroy();
    else refuse(incoming, answer, 503, "the server does not answer");
  });
  // A caller that is gone waits for nothing.
  answer.on("close", () => passed.destroy());
  incoming.pipe(passed);
}

function refuse(incoming: IncomingMessage, answer: ServerResponse, status: number, message: string): void {
  incoming.resume();
  answer.writeHead(status, { "content-type": "application/json", connection: "close" });
  answer.end(JSON.stringify({ error: { code: status === 401 ? "ACCESS_UNAUTHENTICATED" : "", message } }));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the front has no port");
  return address.port;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
