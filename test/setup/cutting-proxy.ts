// Stands between a store and PostgreSQL, and cuts a connection when a statement was done and nobody has heard of it.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after } from "node:test";

export interface CuttingProxy {
  /** The database's address by way of the proxy. */
  readonly address: string;
  /** Cuts the next connection that sends `last`, or its next statement after one that has `first`. */
  cut(last: string, first?: string): void;
  /** Cuts the next connection that sends `last` before the database has seen it. */
  refuse(last: string): void;
  /** How many were cut. */
  readonly count: () => number;
}

export async function openCuttingProxy(address: string): Promise<CuttingProxy> {
  const url = new URL(address);
  const target = { host: url.hostname, port: Number(url.port || 5432) };
  const sockets = new Set<Socket>();
  let armed: { readonly first: string; readonly last: string; readonly isUnseen: boolean } | undefined;
  let count = 0;
  const server = createServer((client) => {
    const upstream = connect(target);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }
    let isNear = false;
    let isCut = false;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    client.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      if (armed !== undefined && text.includes(armed.first)) isNear = true;
      if (armed !== undefined && isNear && text.includes(armed.last)) {
        const { isUnseen } = armed;
        armed = undefined;
        isCut = true;
        count++;
        if (isUnseen) return end();
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // What it answers says that it is done.
      if (isCut) end();
      else client.write(bytes);
    });
    client.on("close", end);
    upstream.on("close", end);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const found = server.address();
  if (found === null || typeof found === "string") throw new Error("the proxy has no port");
  url.hostname = "127.0.0.1";
  url.port = String(found.port);
  return {
    address: url.href,
    cut: (last, first = "") => (armed = { first, last, isUnseen: false }),
    refuse: (last) => (armed = { first: "", last, isUnseen: true }),
    count: () => count,
  };
}
