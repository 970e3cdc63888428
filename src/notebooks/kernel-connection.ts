import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeMessage, encodeRequest, type KernelMessage } from "./kernel-message.ts";

/** ipc paths end up in a `sockaddr_un`: 104 bytes on macOS, 108 on Linux. */
const LONGEST_SOCKET_PATH = 100;
const CHANNELS = ["shell", "iopub", "stdin", "control", "hb"] as const;

/** The sockets to one kernel; what arrives is handed to `onMessage`. */
export interface KernelConnection {
  /** Path of the connection file to give to the kernel. */
  readonly file: string;
  /** Sends a request; its id comes back at once. */
  request(channel: "shell" | "control", type: string, content: object): string;
  close(): Promise<void>;
}

/**
 * Writes a connection file and connects to where the kernel will listen: Unix sockets in a private folder, so that
 * there are no ports to race for and no other user can read; TCP on loopback where a socket's path would be too long or
 * the transport is asked for.
 */
export async function openKernelConnection(options: {
  /** Folder for short-lived sockets; must exist. */
  readonly temporaryFolder: string;
  readonly transport?: "ipc" | "tcp";
  readonly onMessage: (channel: "shell" | "iopub" | "control", message: KernelMessage) => void;
}): Promise<KernelConnection> {
  const { Dealer, Subscriber } = await import("zeromq");
  const folder = await mkdtemp(join(options.temporaryFolder, "k-"));
  await chmod(folder, 0o700);
  const session = { id: randomUUID(), key: randomUUID() };
  const socketPrefix = join(folder, "s");
  const transport =
    options.transport ?? (process.platform === "win32" || socketPrefix.length > LONGEST_SOCKET_PATH ? "tcp" : "ipc");
  const ports = transport === "ipc" ? CHANNELS.map((_, index) => index + 1) : await freePorts(CHANNELS.length);
  const ip = transport === "ipc" ? socketPrefix : "127.0.0.1";
  const addressOf = (channel: (typeof CHANNELS)[number]): string => {
    const port = ports[CHANNELS.indexOf(channel)];
    return transport === "ipc" ? `ipc://${ip}-${port}` : `tcp://${ip}:${port}`;
  };
  const file = join(folder, "kernel.json");
  const portKeys = Object.fromEntries(CHANNELS.map((channel, index) => [`${channel}_port`, ports[index]]));
  await writeFile(
    file,
    JSON.stringify({
      transport,
      ip,
      ...portKeys,
      key: session.key,
      signature_scheme: "hmac-sha256",
      kernel_name: "python3",
    }),
    { mode: 0o600 },
  );

  const settings = {
    linger: 0,
    reconnectInterval: 10,
    reconnectMaxInterval: 200,
    receiveHighWaterMark: 0,
    sendHighWaterMark: 0,
  };
  const shell = new Dealer({ ...settings, routingId: session.id });
  const control = new Dealer({ ...settings, routingId: `${session.id}-c` });
  const iopub = new Subscriber({
    linger: 0,
    reconnectInterval: 10,
    reconnectMaxInterval: 200,
    receiveHighWaterMark: 0,
  });
  iopub.subscribe();
  const receive = async (channel: "shell" | "iopub" | "control", socket: AsyncIterable<Buffer[]>): Promise<void> => {
    for await (const frames of socket) {
      const message = decodeMessage(frames, session.key);
      if (message !== undefined) options.onMessage(channel, message);
    }
  };
  const sockets = { shell, iopub, control };
  const receiving = (["shell", "iopub", "control"] as const).map((channel) => {
    sockets[channel].connect(addressOf(channel));
    return receive(channel, sockets[channel] as AsyncIterable<Buffer[]>);
  });

  return {
    file,
    request(channel, type, content) {
      const { id, frames } = encodeRequest(type, content, session);
      // Unlimited high-water mark: sending only queues. It rejects when the socket is closed, and then nobody waits.
      sockets[channel].send([...frames]).catch(() => {});
      return id;
    },
    async close() {
      for (const socket of Object.values(sockets)) socket.close();
      await Promise.allSettled(receiving);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
