// What the server answers to anybody: addresses that are not there, compression, connections that say nothing.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { get } from "node:http";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { openTestServer } from "../setup/opened-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** Without fetch, which decompresses. */
async function raw(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly headers: Record<string, unknown>; readonly body: Buffer }> {
  const [response] = (await once(get(url, { headers }), "response")) as [import("node:http").IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

describe("an address that is not there", () => {
  it("answers 404 as JSON, in the form that its clients read", async () => {
    const { url } = await openTestServer();
    const cases: readonly (readonly [string, (body: Record<string, unknown>) => unknown])[] = [
      ["/nothing", ({ error }) => (error as { code: string }).code],
      ["/models/a/1/more", ({ error }) => (error as { code: string }).code],
      ["/ready", ({ error }) => (error as { code: string }).code],
      ["/api/v1/nothing", ({ error }) => (error as { code: string }).code],
      ["/v2", ({ error }) => typeof error],
      ["/v2/models/delay", ({ error }) => typeof error],
      ["/endpoints/production/delay/v2/models/delay/config", ({ error }) => typeof error],
      ["/endpoints/production/delay/v2/repository/index", ({ error }) => typeof error],
      ["/materialize", ({ detail }) => typeof detail],
      ["/%zz", ({ error }) => typeof error],
    ];
    for (const [path, read] of cases) {
      const response = await fetch(url + path);
      const text = await response.text();
      assert.ok([404, 400].includes(response.status), `${path}: ${response.status} ${text}`);
      assert.match(response.headers.get("content-type") ?? "", /application\/json/, path);
      assert.ok(
        ["SERVER_ROUTE_MISSING", "string", "object"].includes(
          String(read(JSON.parse(text) as Record<string, unknown>)),
        ),
        `${path}: ${text}`,
      );
    }
    assert.equal(
      typeof ((await (await fetch(`${url}/v2/x`, { method: "POST" })).json()) as { error: unknown }).error,
      "string",
    );
  });

  it("is told by the page to a browser, with 404, and only the page's own addresses answer 200", async () => {
    const { url } = await openTestServer();
    const accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (const path of ["/", "/models", "/models/delay/3", "/endpoint/production/delay", "/datasets/a.b"]) {
      const response = await fetch(url + path, { headers: { accept } });
      assert.equal(response.status, 200, path);
      assert.match(response.headers.get("content-type") ?? "", /text\/html/, path);
    }
    assert.equal((await fetch(`${url}/nothing`, { headers: { accept } })).status, 404);
    assert.match(
      (await fetch(`${url}/nothing`, { headers: { accept } })).headers.get("content-type") ?? "",
      /text\/html/,
    );
    assert.match((await fetch(`${url}/v2/x`, { headers: { accept } })).headers.get("content-type") ?? "", /json/);
    assert.equal((await fetch(`${url}/models`, { headers: { accept: "application/json" } })).status, 404);
  });
});

describe("an answer", () => {
  it("is compressed as its client asks, and not otherwise", async () => {
    const { url } = await openTestServer();
    const plain = await raw(`${url}/api/v1/openapi.json`);
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.match(String(plain.headers["vary"]), /Accept-Encoding/);
    const gzipped = await raw(`${url}/api/v1/openapi.json`, { "accept-encoding": "gzip, br" });
    assert.equal(gzipped.headers["content-encoding"], "gzip");
    assert.ok(gzipped.body.length * 4 < plain.body.length, `${gzipped.body.length} of ${plain.body.length}`);
    assert.deepEqual(gunzipSync(gzipped.body), plain.body);
    const brotli = await raw(`${url}/api/v1/openapi.json`, { "accept-encoding": "gzip;q=0, br" });
    assert.deepEqual(brotliDecompressSync(brotli.body), plain.body);
    const deflated = await raw(`${url}/api/v1/openapi.json`, { "accept-encoding": "deflate" });
    assert.deepEqual(inflateSync(deflated.body), plain.body);
    for (const refused of ["identity", "gzip;q=0", "zstd"])
      assert.equal(
        (await raw(`${url}/api/v1/openapi.json`, { "accept-encoding": refused })).headers["content-encoding"],
        undefined,
        refused,
      );
    assert.equal(
      (await raw(`${url}/api/v1/session`, { "accept-encoding": "gzip" })).headers["content-encoding"],
      undefined,
      "too small to gain",
    );
  });

  it("of a file has an ETag for each of its forms, and is 304 for who has it", async () => {
    const { url } = await openTestServer();
    const page = (await raw(`${url}/`)).body.toString();
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? "";
    const plain = await raw(url + script);
    const brotli = await raw(url + script, { "accept-encoding": "gzip, br" });
    assert.equal(brotli.headers["content-encoding"], "br");
    assert.deepEqual(brotliDecompressSync(brotli.body), plain.body);
    assert.notEqual(plain.headers["etag"], brotli.headers["etag"]);
    for (const [found, accepted] of [
      [plain, "identity"],
      [brotli, "br"],
    ] as const) {
      const again = await raw(url + script, {
        "accept-encoding": accepted,
        "if-none-match": String(found.headers["etag"]),
      });
      assert.deepEqual([again.status, again.body.length, again.headers["etag"]], [304, 0, found.headers["etag"]]);
    }
    assert.equal(
      (await raw(url + script, { "accept-encoding": "br", "if-none-match": String(plain.headers["etag"]) })).status,
      200,
    );
    assert.equal(
      (await raw(`${url}/`, { "if-none-match": String((await raw(`${url}/`)).headers["etag"]) })).status,
      304,
    );
  });
});

describe("connections that say nothing", () => {
  it("lock nobody out, however many: the one that is idle longest makes room", async () => {
    const folder = await mkdtemp(join(await temporaryFolder(), "p-"));
    await writeFile(join(folder, "esteira.yaml"), "name: p\n");
    const command = `ulimit -n 256; exec "${process.execPath}" --disable-warning=ExperimentalWarning "${join(ROOT, "src/cli/main.ts")}" up --port 0`;
    const child: ChildProcess = spawn("bash", ["-c", command], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    const sockets: Socket[] = [];
    after(() => {
      for (const socket of sockets) socket.destroy();
      child.kill("SIGKILL");
    });
    let output = "";
    while (!/http:\/\/[\d.]+:\d+/.test(output))
      output += String((await once(child.stdout as NodeJS.ReadableStream, "data"))[0]);
    const url = /http:\/\/[\d.]+:\d+/.exec(output)?.[0] ?? "";
    for (let count = 0; count < 400; count++) {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      socket.on("error", () => undefined);
      sockets.push(socket);
      await once(socket, "connect");
    }
    for (let count = 0; count < 5; count++)
      assert.equal((await raw(`${url}/api/v1/session`, { connection: "close" })).status, 200);
    const { pid } = child;
    assert.ok(pid !== undefined && sockets.filter(({ destroyed }) => !destroyed).length > 50, "who fits stays");
  });
});
