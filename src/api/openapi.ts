import type { z } from "zod";
import type { Action } from "./action.ts";
import type { NamedRoute } from "./all-routes.ts";
import { addressOf, type ErrorForm, isOpen, type Route, type RouteSchemas } from "./route.ts";

/** Turns a schema into JSON Schema. */
type ToSchema = (schema: z.ZodType) => object;

const JSON_TYPE = "application/json";
const TEXT = { type: "string" };

/** How an error of each form looks. */
const ERROR_SCHEMAS: Readonly<Record<ErrorForm, object>> = {
  esteira: objectOf({ error: objectOf({ code: TEXT, message: TEXT }, { hint: TEXT, kind: TEXT, context: {} }) }),
  mlflow: objectOf({ error_code: TEXT, message: TEXT }),
  "mlflow-scoring": objectOf({ error_code: TEXT, message: TEXT }),
  "open-inference": objectOf({ error: TEXT }),
  // Feast's own errors are a text that holds JSON.
  feast: { anyOf: [objectOf({ detail: TEXT }), TEXT] },
  git: TEXT,
  openai: objectOf({ error: objectOf({ message: TEXT, type: TEXT, code: TEXT, param: {} }) }),
};

function objectOf(required: Readonly<Record<string, object>>, optional: Readonly<Record<string, object>> = {}): object {
  return { type: "object", properties: { ...required, ...optional }, required: Object.keys(required) };
}

/**
 * The OpenAPI 3.1 document of routes: what each takes and answers, what its caller must be allowed to do, and the roles
 * that are.
 *
 * @param rolesOf the roles that have an action
 */
export async function describeRoutes(
  routes: readonly NamedRoute[],
  rolesOf: (action: Action) => readonly string[],
): Promise<object> {
  const { z } = await import("zod");
  const toSchema: ToSchema = (schema) => {
    const { $schema: _, ...rest } = z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
    return rest;
  };
  const paths: Record<string, Record<string, object>> = {};
  for (const named of routes) {
    const { route } = named;
    const path = addressOf(route)
      .replaceAll(/:(\w+)/g, "{$1}")
      .replace(/\*$/, "{path}");
    const schemas = (await route.schemas?.()) ?? {};
    (paths[path] ??= {})[route.method.toLowerCase()] = describe(named, schemas, { toSchema, rolesOf });
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "esteira",
      version: "1",
      description:
        "MLflow's calls (tag `mlflow`) stand below `/api/2.0/`, `/api/3.0/`, `/ajax-api/2.0/` and `/ajax-api/3.0/`; their fields are those of MLflow's REST API.",
    },
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" }, basic: { type: "http", scheme: "basic" } },
      schemas: Object.fromEntries(Object.entries(ERROR_SCHEMAS).map(([form, schema]) => [`error-${form}`, schema])),
    },
  };
}

interface Describing {
  readonly toSchema: ToSchema;
  readonly rolesOf: (action: Action) => readonly string[];
}

function describe(named: NamedRoute, schemas: RouteSchemas, { toSchema, rolesOf }: Describing): object {
  const { name, summary, route } = named;
  const { action, resource, surface } = route;
  const parameters = [...pathParameters(route, schemas, toSchema), ...parametersOf("query", schemas.query, toSchema)];
  const body = describeBody(route, schemas, toSchema);
  const access = isOpen(action)
    ? { security: [], "x-open": action.open }
    : { security: [{ bearer: [] }, { basic: [] }], "x-action": action, "x-roles": rolesOf(action) };
  return {
    operationId: surface === "api" ? name : `${surface}_${name}`,
    tags: [surface],
    summary,
    ...access,
    "x-resource": resource,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: describeResponses(named, schemas, toSchema),
  };
}

function describeResponses({ summary, route }: NamedRoute, { response }: RouteSchemas, toSchema: ToSchema): object {
  const schema = response === undefined ? {} : toSchema(response);
  const answer =
    route.stream === undefined
      ? { [JSON_TYPE]: { schema } }
      : { "text/event-stream": { schema: eventSchema(route.stream, schema) } };
  const ok = { description: summary, ...(response === undefined ? {} : { content: answer }) };
  const content = { [JSON_TYPE]: { schema: { $ref: `#/components/schemas/error-${route.errors}` } } };
  const refused = isOpen(route.action)
    ? {}
    : {
        401: { description: "Nobody is signed in, or the token is not valid", content },
        403: { description: "The caller's role does not have the action", content },
      };
  return { 200: ok, ...refused, default: { description: "What went wrong", content } };
}

/** One event of a stream: its data are JSON in a text. */
function eventSchema({ event, end }: NonNullable<Route["stream"]>, contentSchema: object): object {
  return objectOf(
    {
      event: { type: "string", enum: [event, ...(end === undefined ? [] : [end])] },
      data: { type: "string", contentMediaType: JSON_TYPE, contentSchema },
    },
    { id: TEXT },
  );
}

function describeBody(route: Route, schemas: RouteSchemas, toSchema: ToSchema): object | undefined {
  if (route.body === undefined) return undefined;
  if ("streamed" in route.body)
    return {
      required: true,
      content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
    };
  const schema = schemas.body === undefined ? { type: "object" } : toSchema(schemas.body);
  const limits = { "x-largest-bytes": route.body.largestBytes };
  return { required: schemas.body !== undefined, content: { [JSON_TYPE]: { schema } }, ...limits };
}

function pathParameters({ path }: Route, { params }: RouteSchemas, toSchema: ToSchema): readonly object[] {
  if (params !== undefined) return parametersOf("path", params, toSchema);
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? "");
  if (path.endsWith("*")) names.push("path");
  return names.map((name) => ({ name, in: "path", required: true, schema: TEXT }));
}

function parametersOf(place: "path" | "query", schema: z.ZodType | undefined, toSchema: ToSchema): readonly object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = toSchema(schema) as {
    properties?: Record<string, object>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}
