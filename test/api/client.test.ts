// Clients are derived from the routes: nobody writes an address of the server by hand.
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { addressesOf, apiRoutes, createClient, type HttpCall, listRoutes, mlflowRoutes, toAddress } from "#api";

const ROOT = resolve(import.meta.dirname, "../..");

describe("a client", () => {
  it("sends method, address, query and body of a call as its route says", async () => {
    const sent: HttpCall[] = [];
    const call = createClient(async (request) => void sent.push(request));
    await call("getModelVersion", { params: { name: "a/b c", version: 3 } });
    await call("listPipelineRuns", { query: { status: "failed", pipeline: undefined, limit: 5 } });
    await call("cancelPipelineRun", { params: { id: "x" } });
    await call("rollBack", { body: { environment: "production", asset: "web" } });
    assert.deepEqual(sent, [
      { method: "GET", address: "/api/v1/models/a%2Fb%20c/versions/3" },
      { method: "GET", address: "/api/v1/pipeline-runs?status=failed&limit=5" },
      { method: "POST", address: "/api/v1/pipeline-runs/x/cancel", body: {} },
      { method: "POST", address: "/api/v1/releases/rollback", body: { environment: "production", asset: "web" } },
    ]);
  });

  it("finds each of the places of a route, repeats the name of a list, and keeps the slashes of the rest of a path", () => {
    const query = { run_ids: ["a", "b"], metric_key: "loss" };
    assert.equal(
      toAddress(mlflowRoutes.getMetricHistoryBulkInterval, { query }, 2),
      "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids=a&run_ids=b&metric_key=loss",
    );
    assert.equal(
      toAddress(mlflowRoutes.downloadArtifact, { params: { "*": "0/a b/c.txt" } }),
      "/api/2.0/mlflow-artifacts/artifacts/0/a%20b/c.txt",
    );
    assert.equal(toAddress(mlflowRoutes.getArtifact, {}, 2), "/get-artifact");
    assert.equal(toAddress(apiRoutes.streamChanges, {}), "/api/v1/events");
  });
});

/** What stands before the parameters of each place of the server: `/api/v1/`, `/endpoints/`, `/get-artifact`, … */
const STARTS = new Set(
  listRoutes().flatMap(({ route }) =>
    addressesOf(route).map((address) => /^\/[^/:]+(\/([\w.]+\/)?)?/.exec(address)?.[0] ?? address),
  ),
);

/** Texts of a source that begin as an address of the server does; comments may name them. */
function findWritten(source: string): readonly string[] {
  const code = source.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, "");
  const texts = [...code.matchAll(/["'`](\/[^"'`\s]*)/g)].map(([, text = ""]) => text);
  return texts.filter((text) =>
    [...STARTS].some((start) => text.startsWith(start) || (/^\/[^/]+\/[^/]+\/$/.test(start) && `${text}/` === start)),
  );
}

describe("the page and the command line", () => {
  it("write no address of the server by hand", async () => {
    const found: string[] = [];
    const patterns = ["web/{models,pages,routes,services,ui}/**/*.{ts,tsx}", "web/main.tsx", "src/cli/**/*.ts"];
    for await (const file of glob(patterns, { cwd: ROOT }))
      for (const text of findWritten(await readFile(join(ROOT, file), "utf8"))) found.push(`${file}: ${text}`);
    assert.deepEqual(found, []);
  });

  it("would be found if they did; addresses of pages are none of the server's", () => {
    const planted = [
      'const BASE = "/api/v1";',
      "fetch(`/api/v1/models/${name}`)",
      'get("/ajax-api/2.0/mlflow/runs/get")',
      "const url = `/endpoints/${environment}/${name}/predict`;",
      "link('/get-artifact?run_id=a')",
    ];
    for (const line of planted) assert.equal(findWritten(line).length, 1, line);
    for (const line of [
      'to("/endpoints")',
      'to("/models/$name")',
      "// see /api/v1/openapi.json",
      " * `/api/v1/models`",
    ])
      assert.deepEqual(findWritten(line), [], line);
  });
});
