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

describe("the page and the command line", () => {
  it("write no address of the server by hand", async () => {
    // What stands before the parameters of each place: `/api/v1/`, `/endpoints/`, `/get-artifact`, …
    const starts = new Set(
      listRoutes().flatMap(({ route }) =>
        addressesOf(route).map((address) => /^\/[^/:]+(\/([\w.]+\/)?)?/.exec(address)?.[0] ?? address),
      ),
    );
    const isWritten = (text: string, start: string): boolean =>
      text.startsWith(start) || (/^\/[^/]+\/[^/]+\/$/.test(start) && `${text}/` === start);
    const found: string[] = [];
    const patterns = ["web/{models,pages,routes,services,ui}/**/*.{ts,tsx}", "web/main.tsx", "src/cli/**/*.ts"];
    for await (const file of glob(patterns, { cwd: ROOT })) {
      const text = (await readFile(join(ROOT, file), "utf8")).replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, "");
      for (const [, written = ""] of text.matchAll(/["'`](\/[^"'`\s]*)/g))
        if ([...starts].some((start) => isWritten(written, start))) found.push(`${file}: ${written}`);
    }
    assert.deepEqual(found, []);
  });
});
