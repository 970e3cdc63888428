import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { after, describe, it } from "node:test";
import { isEsteiraError } from "#base";
import type { CaptureDeclaration } from "#data";
import { type DataProject, openDataProject } from "./data-project.ts";

type Http = NonNullable<CaptureDeclaration["capture"]["http"]>;
type Handler = (url: URL, request: IncomingMessage, response: ServerResponse) => unknown;

const SECRETS: Readonly<Record<string, string>> = { TOKEN: "s3cret-word", CLIENT: "cl1ent+word" };

interface Service {
  readonly origin: string;
  readonly project: DataProject;
  readonly asked: string[];
  readonly run: (
    http: Omit<Http, "url"> & { readonly path?: string; readonly url?: string },
    more?: Omit<CaptureDeclaration, "capture">,
  ) => Promise<{
    readonly ids: readonly unknown[];
    readonly version: number | undefined;
    readonly rows: readonly Record<string, unknown>[];
  }>;
}

/** A real service on this machine; what the handler answers is sent as JSON, unless it sends something itself. */
async function open(handler: Handler, hosts: readonly string[] = ["127.0.0.1"]): Promise<Service> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    asked.push(`${url.pathname}${url.search}`);
    void (async () => {
      const answer = await handler(url, request, response);
      if (!response.writableEnded) response.end(JSON.stringify(answer));
    })();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const project = await openDataProject("sqlite", { captureHosts: hosts, secret: (name) => SECRETS[name] });
  return {
    origin,
    project,
    asked,
    async run({ path = "/items", ...http }, more = {}) {
      const capture = { http: { url: `${origin}${path}`, ...http } };
      assert.deepEqual((await project.analyse(project.capture, { capture, ...more }, "d")).problems, []);
      const { versions } = await project.runCapture({ capture, ...more });
      const rows = await project.rows(versions[0], "select * from d order by id");
      return { ids: rows.map(({ id }) => id), version: versions[0]?.version, rows };
    },
  };
}

const all = Array.from({ length: 7 }, (_, index) => ({ id: index + 1 }));

function refused(promise: Promise<unknown>, code: string, text: RegExp): Promise<void> {
  return assert.rejects(promise, (error: Error) => {
    assert.ok(isEsteiraError(error, code), error.stack);
    assert.match(error.message, text);
    for (const secret of Object.values(SECRETS)) assert.ok(!JSON.stringify([error, error.stack]).includes(secret));
    return true;
  });
}

describe("records of a service over HTTP", () => {
  it("are read page by page: by links, addresses, marks, offsets and numbers", async () => {
    const service = await open((url, _, response) => {
      const at = Number(url.searchParams.get("at") ?? url.searchParams.get("offset") ?? 0);
      const page = Number(url.searchParams.get("page") ?? 1);
      const from = url.searchParams.has("page") ? (page - 1) * 3 : at;
      const data = all.slice(from, from + 3);
      const next = from + 3 < all.length ? from + 3 : undefined;
      if (next !== undefined)
        response.setHeader("link", `</first>; rel="first", <${url.pathname}?at=${next}>; rel="next"`);
      return { data, paging: { next: next === undefined ? null : `${url.pathname}?at=${next}`, mark: next ?? null } };
    });
    const expected = [1, 2, 3, 4, 5, 6, 7];
    const records = "data";
    assert.deepEqual((await service.run({ records, pages: "link" })).ids, expected);
    assert.deepEqual((await service.run({ records, pages: { next: "paging.next" } })).ids, expected);
    assert.deepEqual((await service.run({ records, pages: { cursor: "paging.mark", param: "at" } })).ids, expected);
    assert.deepEqual((await service.run({ records, pages: { offset: "offset", size: 3 } })).ids, expected);
    assert.deepEqual((await service.run({ records, pages: { page: "page" } })).ids, expected);
    assert.deepEqual((await service.run({ records })).ids, [1, 2, 3]);
    await refused(
      service.run({ records, pages: "link", max_pages: 2 }),
      "DATA_SOURCE_QUERY_FAILED",
      /more than 2 pages/,
    );
    await refused(
      service.run({ records: "dta" }),
      "DATA_SOURCE_QUERY_FAILED",
      /no records at dta; it has data, paging/,
    );
  });

  it("end with an error when a page follows itself", async () => {
    const service = await open((url) => ({ items: [{ id: 1 }], next: url.pathname }));
    await refused(
      service.run({ records: "items", pages: { next: "next" } }),
      "DATA_SOURCE_QUERY_FAILED",
      /read before/,
    );
  });

  it("are asked for with credentials, which go to no other host and into no message", async () => {
    const seen: (string | undefined)[] = [];
    const other = await open((_, request) => (seen.push(request.headers.authorization), [{ id: 9 }]));
    const service = await open((url, request, response) => {
      const { authorization } = request.headers;
      if (url.pathname === "/token") {
        assert.equal(authorization, `Basic ${Buffer.from("me:cl1ent%2Bword").toString("base64")}`);
        return { access_token: "fresh-token", expires_in: 3600 };
      }
      if (url.pathname === "/away") {
        response.writeHead(302, { location: `${other.origin}/items` });
        return undefined;
      }
      const given = authorization ?? (request.headers["x-key"] as string | undefined) ?? url.searchParams.get("key");
      if (
        ![
          "Bearer s3cret-word",
          "s3cret-word",
          "Bearer fresh-token",
          `Basic ${Buffer.from("me:s3cret-word").toString("base64")}`,
        ].includes(given ?? "")
      ) {
        response.statusCode = 401;
        return { error: `unknown ${given}` };
      }
      return [{ id: 1 }];
    });
    const token_url = `${service.origin}/token`;
    for (const auth of [
      { bearer: "TOKEN" },
      { basic: { user: "me", password: "TOKEN" } },
      { header: { name: "X-Key", secret: "TOKEN" } },
      { param: { name: "key", secret: "TOKEN" } },
      { oauth2: { token_url, client_id: "me", client_secret: "CLIENT" } },
    ])
      assert.deepEqual((await service.run({ auth })).ids, [1], JSON.stringify(auth));
    await refused(service.run({ auth: { bearer: "CLIENT" } }), "DATA_SOURCE_SIGN_IN_REFUSED", /answers 401.*\*\*\*/);
    await refused(service.run({ auth: { bearer: "NONE" } }), "DATA_SOURCE_SECRET_UNFIT", /NONE/);
    assert.deepEqual((await service.run({ path: "/away", auth: { bearer: "TOKEN" } })).ids, [9]);
    assert.deepEqual(seen, [undefined]);
  });

  it("are asked for again when a server is busy, after the time that it says", async () => {
    let tries = 0;
    const service = await open((_, __, response) => {
      tries++;
      if (tries === 1) response.writeHead(429, { "retry-after": "1" });
      if (tries === 2) response.writeHead(503);
      if (tries === 3) response.destroy();
      return [{ id: 1 }];
    });
    const startedAtMs = Date.now();
    assert.deepEqual((await service.run({})).ids, [1]);
    assert.equal(tries, 4);
    assert.ok(Date.now() - startedAtMs >= 1000);
    const closed = await open((_, __, response) => void response.writeHead(429, { "retry-after": "86400" }));
    await refused(closed.run({}), "DATA_SOURCE_UNREACHABLE", /left alone for 86400 s/);
    const missing = await open((_, __, response) => ((response.statusCode = 404), { message: "no such thing" }));
    await refused(missing.run({}), "DATA_SOURCE_QUERY_FAILED", /answers 404: .*no such thing/);
  });

  it("are new by a field, each once, and late ones by looking back", async () => {
    const items = [
      { id: 1, at: "2026-01-05T10:00:00Z" },
      { id: 2, at: "2026-01-05T11:00:00Z" },
    ];
    const service = await open((url) => {
      const since = url.searchParams.get("since")?.replace("gte:", "");
      return since === undefined ? items : items.filter(({ at }) => Date.parse(at) >= Date.parse(since));
    });
    const cursor = { field: "at", param: "since", as: "gte:{value}" };
    assert.deepEqual((await service.run({ cursor })).ids, [1, 2]);
    assert.equal((await service.run({ cursor })).version, 1);
    assert.equal(service.asked.at(-1), "/items?since=gte%3A2026-01-05T11%3A00%3A00Z");
    items.push({ id: 3, at: "2026-01-05T11:00:00Z" }, { id: 4, at: "2026-01-05T12:00:00Z" });
    assert.deepEqual((await service.run({ cursor })).ids, [1, 2, 3, 4]);
    // Without a parameter the old are left out here.
    items.push({ id: 5, at: "2026-01-05T13:00:00Z" });
    assert.deepEqual((await service.run({ cursor: { field: "at" } })).ids, [1, 2, 3, 4, 5]);
    items.push({ id: 6, at: "2026-01-05T12:30:00Z" });
    const late = await service.run({ cursor: { field: "at", lookback: "1h" } }, { write: { merge: ["id"] } });
    assert.deepEqual(late.ids, [1, 2, 3, 4, 5, 6]);
    await refused(service.run({ cursor: { field: "other" } }), "DATA_SOURCE_CHANGED", /by other/);
  });

  it("of one address are asked for with those of another, and keep whole numbers and decimals as they are", async () => {
    const service = await open((url, _, response) => {
      if (url.pathname === "/users") return [{ id: 1, name: "ana" }, { id: "a/b" }];
      response.setHeader("content-encoding", "gzip");
      response.end(
        gzipSync(
          `[{"id": ${url.pathname.includes("1") ? "9007199254740993" : "2"}, "price": 1234567890.123456789, "tags": [1, {"a": 1e400}]}]`,
        ),
      );
      return undefined;
    });
    const { rows } = await service.run({
      path: "/users/{id}/posts",
      for_each: { url: `${service.origin}/users` },
      include: { user: "id" },
    });
    assert.deepEqual(service.asked, ["/users", "/users/1/posts", "/users/a%2Fb/posts"]);
    assert.deepEqual(
      rows.map(({ id, user, tags }) => ({ id, user, tags })),
      [
        { id: 2, user: "a/b", tags: '[1,{"a":1e400}]' },
        { id: "9007199254740993", user: "1", tags: '[1,{"a":1e400}]' },
      ],
    );
  });

  it("are not read from hosts of the inside that the project does not name, nor from where they lead", async () => {
    const inside = await open(() => [{ id: 1 }]);
    const strict = await open(() => [], []);
    await refused(strict.run({ url: `${inside.origin}/items` }), "DATA_SOURCE_HOST_REFUSED", /127\.0\.0\.1 is not/);
    const leading = await open(
      (_, __, response) => void response.writeHead(302, { location: "http://169.254.169.254/latest" }),
    );
    await refused(leading.run({}), "DATA_SOURCE_HOST_REFUSED", /169\.254\.169\.254/);
  });

  it("keep the dataset as it is when there is none", async () => {
    let answer: object = [{ id: 1 }];
    const service = await open(() => answer);
    assert.equal((await service.run({})).version, 1);
    answer = [];
    assert.equal((await service.run({})).version, 1);
    const empty = await open(() => []);
    await refused(empty.run({}), "DATA_SOURCE_EMPTY", /no record/);
    const page = await open((_, __, response) => void response.end("<html>"));
    await refused(page.run({}), "DATA_SOURCE_QUERY_FAILED", /does not answer with JSON/);
  });

  it("are declared without secrets, which lint sees", async () => {
    const { project } = await open(() => []);
    const problems = async (http: Http, write?: CaptureDeclaration["write"]): Promise<readonly string[]> =>
      (
        await project.analyse(project.capture, { capture: { http }, ...(write === undefined ? {} : { write }) }, "d")
      ).problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
    const url = "https://api.example.org/items";
    assert.match((await problems({ url: "https://me:s3cret-word@api.example.org" }))[0] ?? "", /http\.url: .*password/);
    assert.match((await problems({ url: `${url}?api_key=s3cret-word` }))[0] ?? "", /api_key looks like a secret/);
    assert.match((await problems({ url, params: { token: "s3cret-word" } }))[0] ?? "", /http\.params: .*token/);
    assert.match((await problems({ url, headers: { Authorization: "s3cret-word" } }))[0] ?? "", /Authorization/);
    assert.match((await problems({ url: `${url}/{id}` }))[0] ?? "", /no for_each/);
    assert.match((await problems({ url, for_each: { url } }))[0] ?? "", /no place/);
    assert.match((await problems({ url, cursor: { field: "at", lookback: "1h" } }))[0] ?? "", /twice/);
    assert.match((await problems({ url }, "append"))[0] ?? "", /again/);
    assert.ok(
      !project.capture
        .describe({ capture: { http: { url: "https://me:s3cret-word@h/x?key=s3cret-word" } } })
        .includes("s3cret-word"),
    );
  });
});
