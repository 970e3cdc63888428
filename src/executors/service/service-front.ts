import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { HOP_HEADERS } from "../hop-headers.ts";

/** A process that answers requests behind the front. */
export interface Backend {
  readonly port: number;
}

/** The stable address of a service: forwards every request to the backend that is live at that moment. */
export interface Front {
  readonly port: number;
  /** Sends what comes from now on to another backend; undefined lets requests wait for one. */
  setLive(backend: Backend | undefined): void;
  /** Resolves when no request to the backend is open any more, or after the limit. */
  drained(backend: Backend, limitMs: number): Promise<void>;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
const WAIT_FOR_BACKEND_MS = 15_000;
const RETRY_INTERVAL_MS = 50;

/**
 * Listens on a stable port.
 *
 * No request is lost in a switch: each goes to the backend that was live when it came, and an old backend is stopped
 * only when its last answer has been sent. Connections to a backend are kept for requests without a body: a kept one
 * may be closed by the backend just as it is used again, and only those can be sent once more. While a backend
 * restarts, requests wait up to 15 s.
 *
 * @param port 0 picks a free one
 */
export async function openFront(port: number): Promise<Front> {
  let live: Backend | undefined;
  const open = new Map<Backend, number>();
  const agents = new Map<Backend, Agent>();
  const agentOf = (backend: Backend): Agent => {
    const agent = agents.get(backend) ?? new Agent({ keepAlive: true, maxFreeSockets: 64 });
    agents.set(backend, agent);
    return agent;
  };
  const enter = (backend: Backend): (() => void) => {
    open.set(backend, (open.get(backend) ?? 0) + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const rest = (open.get(backend) ?? 1) - 1;
      if (rest === 0) open.delete(backend);
      else open.set(backend, rest);
    };
  };
  const server = createServer((incoming, answer) => {
    void forward({ incoming, answer, live: () => live, enter, agentOf });
  });
  server.on("upgrade", (incoming, socket: Socket, head) => {
    void tunnel({ incoming, socket, head, live: () => live, enter });
  });
  server.keepAliveTimeout = 30_000;
  await listen(server, port);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    setLive: (backend) => {
      live = backend;
    },
    async drained(backend, limitMs) {
      const deadline = Date.now() + limitMs;
      while (open.has(backend) && Date.now() < deadline) await delay(RETRY_INTERVAL_MS);
      agents.get(backend)?.destroy();
      agents.delete(backend);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Exchange {
  readonly live: () => Backend | undefined;
  readonly enter: (backend: Backend) => () => void;
}

type Forwarding = Exchange & {
  readonly incoming: IncomingMessage;
  readonly answer: ServerResponse;
  readonly agentOf: (backend: Backend) => Agent;
};

async function forward(exchange: Forwarding): Promise<void> {
  const { incoming, answer } = exchange;
  if (await forwardOverKept(exchange)) return;
  const reached = await reachBackend(exchange, () => incoming.destroyed);
  if (reached === undefined) {
    answer.writeHead(503, { "content-type": "text/plain", "retry-after": "1" }).end("the service is not running\n");
    return;
  }
  const { socket, leave } = reached;
  answer.once("close", leave);
  const sent = request({
    createConnection: () => socket,
    method: incoming.method,
    path: incoming.url,
    headers: { ...forwardedHeaders(incoming), connection: "close" },
  });
  sent.on("response", (response) => {
    answer.writeHead(response.statusCode ?? 502, response.statusMessage, withoutHopHeaders(response.rawHeaders));
    response.pipe(answer);
    response.on("error", () => answer.destroy());
  });
  sent.on("error", (error) => {
    if (answer.headersSent) answer.destroy();
    else
      answer
        .writeHead(502, { "content-type": "text/plain" })
        .end(`the service ended while it answered: ${error.message}\n`);
  });
  answer.once("close", () => {
    if (!answer.writableFinished) sent.destroy();
  });
  incoming.pipe(sent);
}

/**
 * Sends a request that can be repeated over a kept connection; false when nothing was answered and it must be sent
 * anew.
 */
async function forwardOverKept({ incoming, answer, live, enter, agentOf }: Forwarding): Promise<boolean> {
  const backend = live();
  const hasBody =
    incoming.headers["content-length"] !== undefined || incoming.headers["transfer-encoding"] !== undefined;
  if (backend === undefined || hasBody || !["GET", "HEAD", "OPTIONS"].includes(incoming.method ?? "")) return false;
  const leave = enter(backend);
  return new Promise((resolve) => {
    const sent = request({
      host: HOST,
      port: backend.port,
      agent: agentOf(backend),
      method: incoming.method,
      path: incoming.url,
      headers: forwardedHeaders(incoming),
    });
    const abort = (): void => {
      leave();
      if (!answer.writableFinished) sent.destroy();
    };
    answer.once("close", abort);
    sent.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 502, response.statusMessage, withoutHopHeaders(response.rawHeaders));
      response.pipe(answer);
      response.on("error", () => answer.destroy());
      resolve(true);
    });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      const neverArrived = error.code === "ECONNREFUSED" || sent.reusedSocket;
      if (answer.headersSent || answer.destroyed) answer.destroy();
      else if (neverArrived) {
        answer.off("close", abort);
        leave();
        return resolve(false);
      } else
        answer
          .writeHead(502, { "content-type": "text/plain" })
          .end(`the service ended while it answered: ${error.message}\n`);
      resolve(true);
    });
    sent.end();
  });
}

async function tunnel(
  exchange: Exchange & { readonly incoming: IncomingMessage; readonly socket: Socket; readonly head: Buffer },
): Promise<void> {
  const { incoming, socket, head } = exchange;
  socket.on("error", () => socket.destroy());
  const reached = await reachBackend(exchange, () => socket.destroyed);
  if (reached === undefined) {
    socket.end("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n");
    return;
  }
  const { socket: backend, leave } = reached;
  socket.once("close", () => {
    leave();
    backend.destroy();
  });
  backend.on("error", () => socket.destroy());
  const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
  for (let index = 0; index < incoming.rawHeaders.length; index += 2)
    lines.push(`${incoming.rawHeaders[index]}: ${incoming.rawHeaders[index + 1]}`);
  backend.write(`${lines.join("\r\n")}\r\n\r\n`);
  backend.write(head);
  socket.pipe(backend).pipe(socket);
}

/**
 * A connection to the live backend. Nothing was sent yet, so a refused one is tried again: with the next backend, if it
 * was switched.
 */
async function reachBackend(
  { live, enter }: Exchange,
  isOver: () => boolean,
): Promise<{ readonly socket: Socket; readonly leave: () => void } | undefined> {
  const deadline = Date.now() + WAIT_FOR_BACKEND_MS;
  while (Date.now() < deadline && !isOver()) {
    const backend = live();
    if (backend !== undefined) {
      const leave = enter(backend);
      const socket = await connectTo(backend.port);
      if (socket !== undefined) return { socket, leave };
      leave();
    }
    await delay(RETRY_INTERVAL_MS);
  }
  return undefined;
}

function connectTo(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: HOST, noDelay: true }, () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

function forwardedHeaders(incoming: IncomingMessage): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && !HOP_HEADERS.has(name)) headers[name] = value;
  }
  // A body of unknown length keeps its chunked form; node sets it again.
  if (incoming.headers["transfer-encoding"] !== undefined) headers["transfer-encoding"] = "chunked";
  const from = incoming.socket.remoteAddress ?? "";
  headers["x-forwarded-for"] = [incoming.headers["x-forwarded-for"] ?? [], from].flat().join(", ");
  headers["x-forwarded-host"] ??= incoming.headers.host ?? "";
  headers["x-forwarded-proto"] ??= "http";
  return headers;
}

function withoutHopHeaders(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (!HOP_HEADERS.has(name.toLowerCase())) kept.push(name, rawHeaders[index + 1] ?? "");
  }
  return kept;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
