import { parsePlace, type ProcessSpec } from "#pipeline";
import { type Destination, type NetworkGate, openNetworkGate } from "./network-gate.ts";

/** Where a sandboxed process finds its proxy; the platform may have this port. */
const PROXY_PORTS = [3128, 3129] as const;

/** What a process that reaches some places alone is started with. */
interface Relayed {
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Gives a command the way to its gate from a sandbox without network: a program beside it that listens on the
 * sandbox's own loopback and passes on to the gate's socket.
 *
 * @param near ports of this machine's loopback that it reaches under the same address
 * @param isProxied it reaches places elsewhere, through the proxy that its environment names
 */
function relay(
  command: readonly [string, ...string[]],
  gate: NetworkGate,
  { near, isProxied }: { readonly near: readonly Destination[]; readonly isProxied: boolean },
): Relayed {
  const proxy = PROXY_PORTS.find((free) => near.every(({ port }) => port !== free)) ?? PROXY_PORTS[0];
  const doors = [
    ...near.map(({ host, port }) => ({ port, place: `${host.includes(":") ? `[${host}]` : host}:${port}` })),
    ...(isProxied ? [{ port: proxy, place: "" }] : []),
  ];
  const program = `(${listen.toString()})()`;
  return {
    command: ["/bin/sh", "-c", START, "sh", process.execPath, program, gate.socket, JSON.stringify(doors), ...command],
    environment: isProxied ? proxyVariables(`http://127.0.0.1:${proxy}`) : {},
  };
}

function proxyVariables(url: string): Readonly<Record<string, string>> {
  const near = "127.0.0.1,localhost,::1";
  return {
    HTTP_PROXY: url,
    HTTPS_PROXY: url,
    http_proxy: url,
    https_proxy: url,
    NO_PROXY: near,
    no_proxy: near,
    NODE_USE_ENV_PROXY: "1",
  };
}

/** The command starts when the relay listens, or has ended, and is what the sandbox runs. */
const START =
  'node=$1 code=$2 gate=$3 doors=$4; shift 4; p=/tmp/.esteira-relay; mkfifo "$p"; env -i "$node" -e "$code" "$gate" "$doors" >"$p" 2>/dev/null </dev/null & read -r _ <"$p"; rm "$p"; exec "$@"';

/** The relay's whole program: its text is what runs, so that it names nothing outside of itself. */
function listen(): void {
  const net = process.getBuiltinModule("node:net");
  const [, gate = "", json = "[]"] = process.argv;
  const doors = JSON.parse(json) as readonly { readonly port: number; readonly place: string }[];
  let waiting = doors.length;
  const ready = (): void => {
    waiting -= 1;
    if (waiting === 0) process.stdout.write("\n");
  };
  for (const { port, place } of doors) {
    const server = net.createServer({ allowHalfOpen: true }, (client) => {
      const up = net.connect({ path: gate, allowHalfOpen: true });
      client.on("error", () => up.destroy());
      up.on("error", () => client.destroy());
      client.once("close", () => up.destroy());
      up.once("close", () => client.destroySoon());
      const join = (): void => {
        client.pipe(up);
        up.pipe(client);
      };
      if (place === "") return join();
      up.write(`CONNECT ${place} HTTP/1.1\r\n\r\n`);
      let head = Buffer.alloc(0);
      const onData = (chunk: Buffer): void => {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) return;
        up.off("data", onData);
        up.pause();
        if (!head.subarray(0, end).includes(" 200 ")) return void client.destroy();
        client.write(head.subarray(end + 4));
        join();
      };
      up.on("data", onData);
    });
    server.once("error", ready);
    server.listen(port, "127.0.0.1", ready);
  }
}

/** A command with the way out that its spec gives it, open until `close`. */
interface OpenedWay extends Relayed {
  /** Absolute folders that the sandbox must show. */
  readonly readable: readonly string[];
  readonly close: () => void;
}

/**
 * Opens what a process that reaches only some places needs: a gate here, a relay beside it. One that reaches all or
 * nothing needs neither.
 *
 * @param refused called once for each place that it asked for and may not reach
 */
export async function openWay(
  command: readonly [string, ...string[]],
  { network, environment }: Pick<ProcessSpec, "network" | "environment">,
  refused: (place: string) => void,
): Promise<OpenedWay> {
  if (network === undefined || network === false)
    return { command, environment: {}, readable: [], close: () => undefined };
  const platform = platformOf(environment["ESTEIRA_URL"]);
  const trusted = platform === undefined ? [] : [platform];
  const gate = await openNetworkGate({ hosts: network, trusted, refused });
  const places = [...trusted, ...network.flatMap((text) => parsePlace(text) ?? [])];
  const near = places.filter((place): place is Destination => NEAR.includes(place.host) && place.port !== undefined);
  const relayed = relay(command, gate, {
    near: [...new Map(near.map((place) => [place.port, place])).values()],
    isProxied: places.length > near.length,
  });
  return { ...relayed, readable: [gate.folder], close: () => gate.close() };
}

const NEAR: readonly string[] = ["127.0.0.1", "localhost", "::1"];

function platformOf(address: string | undefined): Destination | undefined {
  if (address === undefined || !URL.canParse(address)) return undefined;
  const { hostname, port, protocol } = new URL(address);
  const usual = protocol === "https:" ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? usual : Number(port) };
}
