import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiRoute, apiProblemSchema, routes } from "#api";
import { generateApiSchemas } from "../../scripts/generate-api-schemas.ts";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const all: readonly (readonly [string, ApiRoute])[] = Object.entries(routes) as readonly (readonly [
  string,
  ApiRoute,
])[];

test("no two routes share method and path", () => {
  const keys = all.map(([, route]) => `${route.method} ${route.path.replace(/:\w+/g, ":")}`);
  assert.deepEqual(keys, [...new Set(keys)]);
});

test("a route has a schema for its parameters exactly when its path has some", () => {
  for (const [name, route] of all) assert.equal(route.params !== undefined, route.path.includes(":"), name);
});

test("whatever changes something names the capability it needs", () => {
  for (const [name, route] of all) assert.equal(route.method === "POST", route.capability !== undefined, name);
});

test("the schemas are those of the interfaces", async () => {
  assert.equal(
    await readFile(join(import.meta.dirname, "../../src/api/schemas.ts"), "utf8"),
    await generateApiSchemas(),
  );
});

test("query strings get numbers and defaults", () => {
  assert.deepEqual(routes.getDatasetRows.query?.parse({ version: "3", limit: "50" }), {
    version: 3,
    offset: 0,
    limit: 50,
  });
  assert.equal(routes.listPipelineRuns.query?.safeParse({ limit: "100000" }).success, false);
  assert.equal(routes.listPipelineRuns.query?.safeParse({ status: "done" }).success, false);
});

test("a response keeps what the contract names and drops the rest", () => {
  const problem = apiProblemSchema.parse({
    code: "DATA_TABLE_MISSING",
    message: "no table",
    hint: "publish it first",
    stack: "secret",
  });
  assert.deepEqual(problem, { code: "DATA_TABLE_MISSING", message: "no table", hint: "publish it first" });
});
