import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import Fastify from "fastify";
import { routes } from "#api";
import { isEsteiraError } from "#base";
import { guarded, refuseUnguardedRoutes } from "../../src/server/security/guard.ts";
import { openTestServer, type OpenedServer } from "../setup/opened-server.ts";

/** `surface METHOD path` and the least role that may call it; `open`: anybody, `signed`: whoever signs. */
const TABLE = resolve(import.meta.dirname, "access.tsv");
const LEAST = ["viewer", "contributor", "reviewer", "admin"];

interface Row {
  readonly surface: string;
  readonly method: string;
  readonly path: string;
}

async function readTable(): Promise<ReadonlyMap<string, string>> {
  const lines = (await readFile(TABLE, "utf8")).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => line.split("\t") as [string, string]));
}

/** Every route of every surface, from the tables that the server is made of. */
async function listRoutes({ platform }: OpenedServer): Promise<readonly Row[]> {
  const whole = await platform.whole();
  return [
    ...platform.mlflowRoutes().map(({ method, path }) => ({ surface: "mlflow", method, path })),
    ...Object.values(routes).map(({ method, path }) => ({ surface: "api", method, path: `/api/v1${path}` })),
    ...whole.servingRoutes.map(({ method, path }) => ({ surface: "serving", method, path })),
    ...whole.monitoringRoutes.map(({ method, path }) => ({ surface: "monitoring", method, path })),
    { surface: "features", method: "POST", path: "/get-online-features" },
    { surface: "operations", method: "GET", path: "/metrics" },
    ...["/livez", "/readyz", "/healthz"].map((path) => ({ surface: "operations", method: "GET", path })),
    { surface: "api", method: "GET", path: "/api/v1/openapi.json" },
    { surface: "hooks", method: "POST", path: "/hooks/push" },
    { surface: "hooks", method: "POST", path: "/hooks/:name" },
    { surface: "page", method: "GET", path: "/" },
  ];
}

const nameOf = ({ surface, method, path }: Row): string => `${surface} ${method} ${path}`;
const urlOf = ({ surface, path }: Row): string =>
  `${surface === "mlflow" && !path.startsWith("/") ? "/api/2.0/" : ""}${path.replaceAll(/:\w+|\*/g, "x")}`;

/** The status of an answer, whose body is not waited for: some never end. */
async function statusOf(url: string, row: Row, authorization: string | undefined): Promise<number> {
  const gone = new AbortController();
  const hasBody = row.method !== "GET";
  const answer = await fetch(url + urlOf(row), {
    method: row.method,
    signal: gone.signal,
    headers: {
      ...(hasBody ? { "content-type": "application/json" } : {}),
      ...(authorization === undefined ? {} : { authorization }),
    },
    ...(hasBody ? { body: "{}" } : {}),
  });
  gone.abort();
  return answer.status;
}

describe("who may call what", () => {
  it("is what the table says, for every route of every surface and every kind of caller", async () => {
    const opened = await openTestServer();
    const { access } = opened.platform;
    const tokenOf = async (
      name: string,
      roles: readonly { readonly project: string; readonly role: "viewer" | "contributor" | "reviewer" | "admin" }[],
    ): Promise<string> => {
      await access.createUser({ name, roles, actor: "root" });
      return `Bearer ${(await access.createToken({ user: name, label: "", actor: "root" })).token}`;
    };
    await access.createUser({ name: "first", actor: "root" });
    const callers: { readonly name: string; readonly authorization: string | undefined; readonly rank: number }[] = [
      { name: "nobody", authorization: undefined, rank: -2 },
      { name: "an unknown token", authorization: `Bearer est_${"0".repeat(26)}_${"a".repeat(43)}`, rank: -2 },
      {
        name: "a token of an unknown attempt",
        authorization: `Bearer esa_${"0".repeat(26)}_${"a".repeat(43)}`,
        rank: -2,
      },
      { name: "a user without a role", authorization: await tokenOf("none", []), rank: -1 },
      {
        name: "an administrator of another project",
        authorization: await tokenOf("foreign", [{ project: "other", role: "admin" }]),
        rank: -1,
      },
      { name: "a revoked user", authorization: await tokenOf("gone", [{ project: "p", role: "admin" }]), rank: -1 },
    ];
    await access.grant({ user: "gone", project: "p", role: undefined, actor: "root" });
    for (const [rank, role] of (["viewer", "contributor", "reviewer", "admin"] as const).entries())
      callers.push({ name: role, authorization: await tokenOf(`a-${role}`, [{ project: "p", role }]), rank });
    const table = await readTable();
    const wrong: string[] = [];
    const listed = await listRoutes(opened);
    for (const row of listed) {
      const least = table.get(nameOf(row));
      if (least === undefined) {
        wrong.push(`${nameOf(row)}: no row in access.tsv`);
        continue;
      }
      if (least === "signed") continue;
      const needed = least === "open" ? -3 : LEAST.indexOf(least);
      await Promise.all(
        callers.map(async ({ name, authorization, rank }) => {
          const status = await statusOf(opened.url, row, authorization);
          const right = rank >= needed ? status !== 401 && status !== 403 : status === (rank === -2 ? 401 : 403);
          if (!right) wrong.push(`${nameOf(row)}: ${name} got ${status}`);
        }),
      );
    }
    const known = new Set(listed.map(nameOf));
    for (const name of table.keys()) if (!known.has(name)) wrong.push(`${name}: in access.tsv, but no route`);
    assert.deepEqual(wrong, []);
  });

  it("is decided for every route, or the server does not start", async () => {
    const server = Fastify();
    refuseUnguardedRoutes(server);
    server.get("/open", { config: { open: "for this test" } }, async () => "");
    server.get(
      "/guarded",
      {
        onRequest: guarded(
          () => Promise.reject(new Error("nobody")),
          () => undefined,
        ),
      },
      async () => "",
    );
    assert.throws(
      () => server.get("/forgotten", async () => ""),
      (error) => isEsteiraError(error, "SERVER_ROUTE_UNGUARDED"),
    );
    await server.close();
  });

  it("a token for predictions alone asks endpoints, has them described, and does nothing else", async () => {
    const opened = await openTestServer();
    const { access } = opened.platform;
    await access.createUser({ name: "ana", actor: "root" });
    await access.createUser({ name: "shop", roles: [{ project: "p", role: "viewer" }], actor: "root" });
    await assert.rejects(access.createToken({ user: "shop", label: "", only: "administer", actor: "ana" }), (error) =>
      isEsteiraError(error, "ACCESS_ACTION_INVALID"),
    );
    const authorization = `Bearer ${(await access.createToken({ user: "shop", label: "", only: "predict", actor: "ana" })).token}`;
    const ask = (method: string, path: string): Promise<number> =>
      statusOf(opened.url, { surface: "", method, path }, authorization);
    assert.equal(await ask("POST", "/endpoints/production/delay/predict"), 400);
    assert.equal(await ask("GET", "/endpoints/production/delay/v2/models/delay"), 404);
    assert.deepEqual(
      [
        await ask("GET", "/api/v1/datasets"),
        await ask("GET", "/api/2.0/mlflow/experiments/search"),
        await ask("POST", "/endpoints/production/delay/labels"),
      ],
      [403, 403, 403],
    );
    await access.grant({ user: "shop", project: "p", role: undefined, actor: "ana" });
    assert.equal(await ask("POST", "/endpoints/production/delay/predict"), 403);
  });
});
