import { readFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** When the system does not say how many files a process may open. */
const USUAL_FILES = 1024;
const FEWEST_CONNECTIONS = 16;
/** A body that stops coming. */
const BODY_IDLE_MS = 60_000;

/** Half of the files that this process may open are left for stores, artifacts and steps. */
export function largestConnections(): number {
  return Math.max(FEWEST_CONNECTIONS, Math.floor(readFileLimit() / 2));
}

function readFileLimit(): number {
  try {
    const found = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return found === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(found ?? USUAL_FILES);
  } catch {
    return USUAL_FILES;
  }
}

/**
 * Keeps idle connections from locking others out. Each is idle (from its start, and between requests), or busy (a
 * request came whole with its head, until it is answered). When there are as many as allowed, the one that is idle
 * longest makes room; when none is idle, the new one is refused. A body that stops coming for a minute ends its
 * connection.
 */
export function limitConnections(server: Server, largest: number = largestConnections()): void {
  // A set keeps the order in which its members became idle.
  const idle = new Set<Socket>();
  const busy = new Map<Socket, number>();

  server.on("connection", (socket: Socket) => {
    if (idle.size + busy.size >= largest) {
      const [oldest] = idle;
      if (oldest === undefined) return void socket.destroy();
      idle.delete(oldest);
      oldest.destroy();
    }
    idle.add(socket);
    socket.once("close", () => {
      idle.delete(socket);
      busy.delete(socket);
    });
  });

  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    idle.delete(socket);
    busy.set(socket, (busy.get(socket) ?? 0) + 1);
    watchBody(request, response);
    response.once("close", () => {
      const left = (busy.get(socket) ?? 1) - 1;
      if (left > 0) return void busy.set(socket, left);
      busy.delete(socket);
      if (!socket.destroyed) idle.add(socket);
    });
  });
}

/** The socket's own timer, which Node sets anew for the time between two requests. */
function watchBody(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined) return;
  const { socket } = request;
  socket.setTimeout(BODY_IDLE_MS);
  request.once("end", () => {
    if (!response.writableFinished) socket.setTimeout(0);
  });
}
