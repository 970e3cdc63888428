import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { addressesOf, apiRoutes, isOpen, listMissingRoutes, listRoutes, type Route } from "#api";
import { generateApiSchemas } from "../../scripts/generate-api-schemas.ts";
import { apiSchemas } from "../../src/api/api-schemas.ts";
import { apiProblemSchema } from "../../src/api/schemas.ts";

const api = Object.entries(apiRoutes) as readonly (readonly [string, Route])[];
const all = [...listRoutes(), ...listMissingRoutes()];

test("no two routes of any surface share method and address", () => {
  const keys = all.flatMap(({ route }) =>
    addressesOf(route).map((address) => `${route.method} ${address.replace(/:\w+/g, ":")}`),
  );
  assert.deepEqual(
    keys.filter((key, index) => keys.indexOf(key) !== index),
    [],
  );
});

test("a call of the API has a schema for its parameters exactly when its path has some", async () => {
  for (const [name, route] of api) {
    assert.equal((await route.schemas?.())?.params !== undefined, route.path.includes(":"), name);
  }
});

test("whatever changes something has an action that a viewer has not; whatever is open says why", () => {
  // A query is longer than an address may be; it changes nothing.
  const asksByPost: ReadonlySet<string> = new Set(["queryDatasets"]);
  for (const [name, { method, action }] of api)
    assert.equal(method === "POST" && !asksByPost.has(name), action !== "read", name);
  for (const { name, route } of all) if (isOpen(route.action)) assert.match(route.action.open, /\w+ \w+/, name);
});

test("a route without an action, or without a resource, does not compile", () => {
  const facts = { surface: "api", method: "GET", path: "x", summary: "", errors: "esteira" } as const;
  // @ts-expect-error -- no action
  const unguarded: Route = { ...facts, resource: "project" };
  // @ts-expect-error -- no resource
  const homeless: Route = { ...facts, action: "read" };
  // @ts-expect-error -- an action that is not in the list
  const unknown: Route = { ...facts, resource: "project", action: "write" };
  assert.ok(unguarded !== homeless && unknown !== homeless);
});

test("the schemas are those of the interfaces", async () => {
  assert.equal(
    await readFile(join(import.meta.dirname, "../../src/api/schemas.ts"), "utf8"),
    await generateApiSchemas(),
  );
});

test("query strings get numbers and defaults", () => {
  assert.deepEqual(apiSchemas.getDatasetRows.query?.parse({ version: "3", limit: "50" }), {
    version: 3,
    offset: 0,
    limit: 50,
  });
  assert.equal(apiSchemas.listPipelineRuns.query?.safeParse({ limit: "100000" }).success, false);
  assert.equal(apiSchemas.listPipelineRuns.query?.safeParse({ status: "done" }).success, false);
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
