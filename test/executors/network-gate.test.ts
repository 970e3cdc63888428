import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { existsSync } from "node:fs";
import { after, describe, it } from "node:test";
import { openNetworkGate } from "../../src/executors/isolation/network-gate.ts";

const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
const web = createHttpServer((request, response) =>
  response.end(`${request.method} ${request.url} ${request.headers.host} ${request.headers["proxy-authorization"]}`),
).listen(0, "127.0.0.1");
for (const server of [echo, web]) if (!server.listening) await once(server, "listening");
after(() => [echo, web].forEach((server) => server.close()));
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

/** What the gate answers to some bytes, after which the caller sends no more. */
async function ask(socket: string, sent: string): Promise<string> {
  const client = connect({ path: socket, allowHalfOpen: true });
  client.end(sent);
  let said = "";
  client.on("data", (chunk: Buffer) => (said += chunk.toString("latin1")));
  await once(client, "close");
  return said;
}

describe("the gate of a step", () => {
  it("tunnels to what it names, with what was sent along", async () => {
    const gate = await openNetworkGate({ hosts: [`127.0.0.1:${portOf(echo)}`] });
    const said = await ask(gate.socket, `CONNECT 127.0.0.1:${portOf(echo)} HTTP/1.1\r\nHost: x\r\n\r\nhello`);
    assert.equal(said, "HTTP/1.1 200 Connection established\r\n\r\nhello");
    gate.close();
    assert.equal(existsSync(gate.folder), false);
  });

  it("passes plain calls on without what was meant for the proxy", async () => {
    const gate = await openNetworkGate({ hosts: [`localhost:${portOf(web)}`] });
    const place = `localhost:${portOf(web)}`;
    const head = `GET http://${place}/a?b=1 HTTP/1.1\r\nHost: elsewhere\r\nProxy-Authorization: Basic secret\r\n\r\n`;
    const said = await ask(gate.socket, head);
    assert.match(said, new RegExp(`200 OK[^]*GET /a\\?b=1 ${place} undefined$`));
    gate.close();
  });

  it("refuses every other place and says which, once", async () => {
    const places: string[] = [];
    const gate = await openNetworkGate({
      hosts: ["example.com", "*.example.org", "10.1.2.3:5432"],
      refused: (place) => places.push(place),
    });
    for (const place of [
      "127.0.0.1:80",
      "127.0.0.1:80",
      "example.com:22",
      "example.org:443",
      "notexample.com:443",
      "example.com.evil.test:443",
      "10.1.2.3:443",
      "[::1]:443",
      "[::ffff:127.0.0.1]:80",
    ]) {
      assert.match(
        await ask(gate.socket, `CONNECT ${place} HTTP/1.1\r\n\r\n`),
        /^HTTP\/1\.1 403 .*may not reach/s,
        place,
      );
    }
    assert.equal(places.length, 8);
    assert.equal(places[0], "127.0.0.1:80");
    gate.close();
  });

  it("does not follow a name to this machine, whoever registered it", async () => {
    const gate = await openNetworkGate({ hosts: ["*.localhost:80", "ip6-localhost:82"] });
    for (const place of ["a.localhost:80", "ip6-localhost:82"])
      assert.match(await ask(gate.socket, `CONNECT ${place} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 (403|502)/, place);
    gate.close();
  });

  it("reaches the platform wherever it is, at its own port alone", async () => {
    const gate = await openNetworkGate({ hosts: [], trusted: [{ host: "127.0.0.1", port: portOf(web) }] });
    assert.match(await ask(gate.socket, `GET http://127.0.0.1:${portOf(web)}/ HTTP/1.1\r\n\r\n`), /200 OK/);
    assert.match(await ask(gate.socket, `CONNECT 127.0.0.1:${portOf(echo)} HTTP/1.1\r\n\r\n`), /403/);
    gate.close();
  });

  for (const [title, sent, status] of [
    ["no HTTP", "hello\r\n\r\n", 400],
    ["a call to a server and no proxy", "GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400],
    ["another scheme", "GET file:///etc/passwd HTTP/1.1\r\n\r\n", 400],
    ["a tunnel to no port", "CONNECT example.com HTTP/1.1\r\n\r\n", 400],
    ["a head without end", `GET http://a/ HTTP/1.1\r\nX: ${"x".repeat(80_000)}`, 431],
  ] as const) {
    it(`answers ${title} with ${status}`, async () => {
      const gate = await openNetworkGate({ hosts: ["example.com"] });
      assert.match(await ask(gate.socket, sent), new RegExp(`^HTTP/1\\.1 ${status} `));
      gate.close();
    });
  }

  it("says so when nothing answers there", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const port = portOf(closed);
    closed.close();
    const gate = await openNetworkGate({ hosts: [`127.0.0.1:${port}`] });
    assert.match(
      await ask(gate.socket, `CONNECT 127.0.0.1:${port} HTTP/1.1\r\n\r\n`),
      /^HTTP\/1\.1 502 .*ECONNREFUSED/s,
    );
    gate.close();
  });
});
