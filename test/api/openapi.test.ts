import assert from "node:assert/strict";
import { test } from "node:test";
import { ROLES_OF_ACTION } from "#access";
import { addressOf, describeRoutes, isOpen, listRoutes } from "#api";

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly "x-action"?: string;
  readonly "x-open"?: string;
  readonly "x-roles"?: readonly string[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, object>>;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const describeAll = async (): Promise<Description> =>
  (await describeRoutes(listRoutes(), (action) => ROLES_OF_ACTION[action])) as Description;

test("the description names every route of every surface, with its action, its roles and how to sign in", async () => {
  const { paths } = await describeAll();
  const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  assert.deepEqual([ids.length, new Set(ids).size], [listRoutes().length, listRoutes().length]);
  for (const { name, route } of listRoutes()) {
    const path = addressOf(route)
      .replaceAll(/:(\w+)/g, "{$1}")
      .replace(/\*$/, "{path}");
    const operation = paths[path]?.[route.method.toLowerCase()];
    assert.ok(operation !== undefined, name);
    if (isOpen(route.action)) {
      assert.deepEqual([operation.security, operation["x-open"]], [[], route.action.open], name);
    } else {
      assert.deepEqual(operation.security, [{ bearer: [] }, { basic: [] }], name);
      assert.deepEqual(
        [operation["x-action"], operation["x-roles"]],
        [route.action, ROLES_OF_ACTION[route.action]],
        name,
      );
      assert.ok(operation.responses["401"] !== undefined && operation.responses["403"] !== undefined, name);
    }
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
    const described = (operation.parameters ?? []).filter((each) => each.in === "path").map((each) => each.name);
    assert.deepEqual(new Set(described), new Set(named), name);
    assert.equal(operation.requestBody !== undefined, route.body !== undefined, name);
  }
});

test("what predicts, labels and reads features says how its body looks", async () => {
  const { paths } = await describeAll();
  const propertiesOf = (path: string): readonly string[] => {
    const schema = paths[path]?.["post"]?.requestBody?.content["application/json"]?.schema as { properties?: object };
    return Object.keys(schema.properties ?? {});
  };
  const endpoint = "/endpoints/{environment}/{endpoint}";
  assert.deepEqual(propertiesOf(`${endpoint}/predict`), ["rows"]);
  assert.ok(propertiesOf(`${endpoint}/invocations`).includes("dataframe_split"));
  assert.ok(propertiesOf(`${endpoint}/v2/models/{model}/infer`).includes("inputs"));
  assert.deepEqual(propertiesOf(`${endpoint}/labels`), ["labels", "until"]);
  assert.deepEqual(propertiesOf(`${endpoint}/evaluate`), ["until"]);
  assert.ok(propertiesOf("/get-online-features").includes("entities"));
});

test("an event of a stream is described as it is sent: its name, and its data as JSON in a text", async () => {
  const { paths } = await describeAll();
  const schemaOf = (path: string): unknown => {
    const ok = paths[path]?.["get"]?.responses["200"] as {
      readonly content: Readonly<Record<string, { readonly schema: unknown }>>;
    };
    return ok.content["text/event-stream"]?.schema;
  };
  const log = schemaOf("/api/v1/step-runs/{id}/log/stream") as {
    readonly required: readonly string[];
    readonly properties: {
      readonly event: { readonly enum: readonly string[] };
      readonly data: { contentSchema: unknown };
    };
  };
  assert.deepEqual(log.required, ["event", "data"]);
  assert.deepEqual(log.properties.event.enum, ["log", "end"]);
  assert.deepEqual((log.properties.data.contentSchema as { required: unknown }).required, [
    "sequence",
    "attempt",
    "atMs",
    "stream",
    "text",
  ]);
});
