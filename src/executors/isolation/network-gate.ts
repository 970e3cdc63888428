import { mkdtempSync, rmSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { BlockList, connect, createServer, isIP, isIPv4, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePlace } from "#pipeline";

/** The first lines of a call to a proxy are no longer than this. */
const LONGEST_HEAD_BYTES = 64 * 1024;
const HEAD_MS = 30_000;
const CONNECT_MS = 30_000;
/** Connections that one process has at once through its gate. */
const MOST_CONNECTIONS = 512;

/** A place on the network, as `host:port` of a call. */
export interface Destination {
  readonly host: string;
  readonly port: number;
}

/** The door of one process to the places that it may reach: a proxy for HTTP on a socket file, and nothing else. */
export interface NetworkGate {
  /** Absolute; holds the socket alone. */
  readonly folder: string;
  readonly socket: string;
  close(): void;
}

export interface NetworkGateOptions {
  /** `host`, `host:port` or `*.domain`; without a port, 80 and 443. */
  readonly hosts: readonly string[];
  /** Places that are reached wherever they are: the platform. */
  readonly trusted?: readonly Destination[];
  /** Called once for each place that it was asked for and did not reach. */
  readonly refused?: (place: string) => void;
}

/**
 * Opens a gate. It tunnels `CONNECT` and passes plain calls on, one place for each connection; a place that is not
 * among its hosts gets 403. A name that leads to this machine or to its link is refused, and one of a wildcard that
 * leads inside a private network too: who registers a name chooses its address.
 */
export async function openNetworkGate({ hosts, trusted = [], refused }: NetworkGateOptions): Promise<NetworkGate> {
  // A socket's path is short: 104 bytes on macOS, 108 on Linux.
  const folder = mkdtempSync(join(tmpdir().length < 60 ? tmpdir() : "/tmp", "esteira-gate-"));
  const socket = join(folder, "s");
  const told = new Set<string>();
  const refuse = (client: Socket, { host, port }: Destination): void => {
    const place = `${host}:${port}`;
    answer(client, "403 Forbidden", `esteira: this step may not reach ${place}; its "network" does not name it`);
    if (told.has(place) || told.size > 20) return;
    told.add(place);
    refused?.(place);
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => client.destroy());
    readHead(client, (head, rest) => {
      const call = parseHead(head);
      if (call === undefined) return answer(client, "400 Bad Request", "esteira: expected a call to an HTTP proxy");
      const rule = findRule(call.to, hosts, trusted);
      if (rule === undefined) return refuse(client, call.to);
      void resolveAddress(call.to.host, rule).then((address) => {
        if (address === "unknown") return answer(client, "502 Bad Gateway", `esteira: ${call.to.host} is not known`);
        if (address === undefined) return refuse(client, call.to);
        forward(client, { ...call, address, rest });
      });
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  server.unref();
  return { folder, socket, close: () => closeGate(server, folder) };
}

function closeGate(server: Server, folder: string): void {
  server.close();
  rmSync(folder, { recursive: true, force: true });
}

function readHead(client: Socket, take: (head: string, rest: Buffer) => void): void {
  let read = Buffer.alloc(0);
  const timer = setTimeout(() => client.destroy(), HEAD_MS);
  client.once("close", () => clearTimeout(timer));
  const onData = (chunk: Buffer): void => {
    read = Buffer.concat([read, chunk]);
    const end = read.indexOf("\r\n\r\n");
    if (end === -1 && read.length <= LONGEST_HEAD_BYTES) return;
    clearTimeout(timer);
    client.off("data", onData);
    client.pause();
    if (end === -1) return answer(client, "431 Request Header Fields Too Large", "esteira: the head is too long");
    take(read.toString("latin1", 0, end), read.subarray(end + 4));
  };
  client.on("data", onData);
}

interface ProxyCall {
  readonly to: Destination;
  /** What is sent there first; undefined for a tunnel. */
  readonly head: string | undefined;
}

function parseHead(head: string): ProxyCall | undefined {
  const [first = "", ...lines] = head.split("\r\n");
  const [method = "", target = "", version = ""] = first.split(" ");
  if (!/^HTTP\/1\.[01]$/.test(version)) return undefined;
  if (method === "CONNECT") {
    const to = parsePlace(target);
    return to?.port === undefined ? undefined : { to: { host: to.host, port: to.port }, head: undefined };
  }
  if (!/^[A-Z]+$/.test(method) || !URL.canParse(target)) return undefined;
  const url = new URL(target);
  if (url.protocol !== "http:") return undefined;
  const kept = lines.filter((line) => !/^(proxy-[a-z-]+|connection|host)\s*:/i.test(line));
  return {
    to: { host: bare(url.hostname), port: url.port === "" ? 80 : Number(url.port) },
    // One place for each connection: what else comes on it goes there too.
    head: [`${method} ${url.pathname}${url.search} ${version}`, `Host: ${url.host}`, "Connection: close", ...kept].join(
      "\r\n",
    ),
  };
}

const bare = (host: string): string => host.replace(/^\[|\]$/g, "").replace(/(.)\.$/, "$1");

/** How a place may be reached: wherever it is, at an address that a name leads to, or at a public one alone. */
type Rule = "anywhere" | "named" | "public";

function findRule(to: Destination, hosts: readonly string[], trusted: readonly Destination[]): Rule | undefined {
  const host = to.host.toLowerCase();
  if (trusted.some((one) => one.host.toLowerCase() === host && one.port === to.port)) return "anywhere";
  let rule: Rule | undefined;
  for (const text of hosts) {
    const place = parsePlace(text);
    if (place === undefined || !(place.port === undefined ? [80, 443] : [place.port]).includes(to.port)) continue;
    if (place.host === host) return isIP(host) !== 0 || host === "localhost" ? "anywhere" : "named";
    if (place.host.startsWith("*.") && isIP(host) === 0 && host.endsWith(place.host.slice(1))) rule = "public";
  }
  return rule;
}

const HERE = blockListOf(
  ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"],
  ["::/127", "fe80::/10", "ff00::/8"],
);
const INSIDE = blockListOf(
  ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "192.0.0.0/24", "198.18.0.0/15"],
  ["fc00::/7"],
);

function blockListOf(four: readonly string[], six: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [family, networks] of [
    ["ipv4", four],
    ["ipv6", six],
  ] as const) {
    for (const network of networks) {
      const [address = "", prefix] = network.split("/");
      list.addSubnet(address, Number(prefix), family);
    }
  }
  return list;
}

function mayReach(address: string, rule: Rule): boolean {
  if (rule === "anywhere") return true;
  const family = isIPv4(address) ? "ipv4" : "ipv6";
  if (HERE.check(address, family)) return false;
  return rule === "named" || !INSIDE.check(address, family);
}

/** The address is looked up once and connected to: a name that changes meanwhile changes nothing. */
async function resolveAddress(host: string, rule: Rule): Promise<string | undefined> {
  if (isIP(host) !== 0) return mayReach(host, rule) ? host : undefined;
  const found = await lookup(host, { all: true }).catch(() => []);
  if (found.length === 0) return "unknown";
  return found.find(({ address }) => mayReach(address, rule))?.address;
}

function forward(client: Socket, call: ProxyCall & { readonly address: string; readonly rest: Buffer }): void {
  const server = connect({ host: call.address, port: call.to.port, allowHalfOpen: true, timeout: CONNECT_MS });
  const failed = (reason: string): void => {
    server.destroy();
    answer(client, "502 Bad Gateway", `esteira: ${call.to.host}:${call.to.port} does not answer: ${reason}`);
  };
  const refuse = (error: Error): void => failed(error.message);
  const late = (): void => failed("it took too long");
  server.once("error", refuse).once("timeout", late);
  server.once("connect", () => {
    server.off("error", refuse).off("timeout", late).setTimeout(0);
    server.on("error", () => client.destroy());
    client.once("close", () => server.destroy());
    server.once("close", () => client.destroySoon());
    if (call.head === undefined) client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    else server.write(`${call.head}\r\n\r\n`, "latin1");
    if (call.rest.length > 0) server.write(call.rest);
    client.pipe(server);
    server.pipe(client);
  });
}

function answer(client: Socket, status: string, text: string): void {
  const length = Buffer.byteLength(text) + 1;
  client.end(
    `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${text}\n`,
  );
  client.resume();
}
