// What the server does with the bodies of requests before, and while, it reads them.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { isOpen, listRoutes, toAddress } from "#api";
import { openTestServer, signIn } from "../setup/opened-server.ts";

const JSON_TYPE = { "content-type": "application/json" };
const DEEP = "[".repeat(2_000_000);
const SURFACES = [
  "/endpoints/production/delay/predict",
  "/endpoints/production/delay/invocations",
  "/endpoints/production/delay/v2/models/delay/infer",
  "/endpoints/production/delay/labels",
  "/get-online-features",
  "/api/v1/pipelines/none/runs",
  "/api/2.0/mlflow/runs/search",
];

const PARAMS = Object.fromEntries(
  listRoutes().flatMap(({ route }) => [...route.path.matchAll(/:(\w+)/g)].map(([, name = ""]) => [name, "x"])),
);

/** Sends the head of a request with the begin of a body that never comes, and answers what the server said. */
async function ask(url: string, head: string): Promise<string> {
  const socket: Socket = connect(Number(new URL(url).port), "127.0.0.1");
  let said = "";
  socket.on("data", (piece: Buffer) => (said += piece.toString()));
  socket.write(head);
  while (!said.includes("\r\n\r\n")) await once(socket, "data");
  socket.destroy();
  return said;
}

describe("a request's body", () => {
  it("is not waited for when the caller may not call", async () => {
    const opened = await openTestServer();
    await signIn(opened, "ana", "admin");
    for (const path of [...SURFACES, "/hooks/push", "/hooks/partner"])
      assert.match(
        await ask(
          opened.url,
          `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 60000000\r\n\r\n{"a":`,
        ),
        /^HTTP\/1\.1 (401|404|409) /,
        path,
      );
  });

  it("is not read of a caller who may not call, on any route that takes one, be it huge or slow", async () => {
    const opened = await openTestServer();
    await signIn(opened, "ana", "admin");
    const { authorization = "" } = await signIn(opened, "none");
    const read: string[] = [];
    let answered = 0;
    const watch = (request: IncomingMessage, response: ServerResponse): void => {
      response.once("prefinish", () => {
        answered++;
        if (request.readableDidRead) read.push(`${request.method} ${request.url}`);
      });
    };
    // Answers on the same socket as the request came, also those that the server hands over to another.
    opened.server.server.on("request", watch);
    for (const { route } of listRoutes().filter(
      (each) => each.route.body !== undefined && !isOpen(each.route.action),
    )) {
      const path = toAddress(route, { params: { ...PARAMS, "*": "x" } });
      for (const [sender, refusal] of [
        ["", 401],
        [`authorization: ${authorization}\r\n`, 403],
      ] as const)
        for (const length of ["content-length: 6000000000", "transfer-encoding: chunked"]) {
          const head = `${route.method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${sender}content-type: application/json\r\n${length}\r\n\r\n5\r\n{"a":`;
          assert.match(await ask(opened.url, head), new RegExp(`^HTTP/1\\.1 ${refusal} `), `${path} ${length}`);
        }
    }
    assert.ok(answered > 200, String(answered));
    assert.deepEqual(read, []);
  });

  it("that is nested two million deep is refused on every surface, in no time", async () => {
    const { url } = await openTestServer();
    for (const path of SURFACES) {
      const response = await fetch(url + path, {
        method: "POST",
        headers: JSON_TYPE,
        body: DEEP.slice(0, path.startsWith("/api/v1") ? 1_000_000 : DEEP.length),
      });
      const text = await response.text();
      // Where the endpoint is looked for first, the body of one that is not there is never parsed.
      if (response.status === 404 && text.includes("no endpoint")) continue;
      assert.equal(response.status, 400, `${path}: ${text}`);
      assert.match(text, /nested more than 100 deep/, path);
    }
  });

  it("may be compressed with gzip, deflate or br on every surface, and nothing else", async () => {
    const { url } = await openTestServer();
    const send = (path: string, body: Buffer<ArrayBuffer>, encoding: string): Promise<Response> =>
      fetch(url + path, { method: "POST", headers: { ...JSON_TYPE, "content-encoding": encoding }, body });
    for (const path of SURFACES) {
      const plain = await fetch(url + path, { method: "POST", headers: JSON_TYPE, body: "{}" });
      const expected = [plain.status, await plain.text()];
      for (const [encoding, body] of [
        ["gzip", gzipSync("{}")],
        ["deflate", deflateSync("{}")],
      ] as const) {
        const response = await send(path, body as Buffer<ArrayBuffer>, encoding);
        assert.deepEqual([response.status, await response.text()], expected, `${encoding} ${path}`);
      }
      const broken = await send(path, Buffer.from("{}"), "gzip");
      assert.equal(broken.status, 400, path);
      assert.match(await broken.text(), /decompressed|incorrect header/, path);
      assert.ok([400, 415].includes((await send(path, Buffer.from("{}"), "zstd, gzip")).status), path);
    }
  });

  it("counts decompressed against its limit, so that a bomb is refused", async () => {
    const { url } = await openTestServer();
    const bomb = gzipSync(Buffer.alloc(70 * 2 ** 20, " "));
    assert.ok(bomb.length < 300_000);
    for (const path of SURFACES) {
      const response = await fetch(url + path, {
        method: "POST",
        headers: { ...JSON_TYPE, "content-encoding": "gzip" },
        body: bomb as Buffer<ArrayBuffer>,
      });
      assert.ok([413, 400].includes(response.status), `${path}: ${response.status}`);
      assert.match(await response.text(), /larger than/, path);
    }
    assert.equal((await fetch(`${url}/api/v1/session`)).status, 200);
  });

  it("of the API is limited to what its calls need", async () => {
    const { url } = await openTestServer();
    const response = await fetch(`${url}/api/v1/pipelines/none/runs`, {
      method: "POST",
      headers: JSON_TYPE,
      body: JSON.stringify({ params: { a: "x".repeat(2 ** 20) } }),
    });
    assert.equal(response.status, 413);
    assert.equal(((await response.json()) as { error: { code: string } }).error.code, "SERVER_BODY_TOO_LARGE");
  });
});
