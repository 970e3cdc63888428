import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type ApiRoute, type ApiRoutes, routes, type RouteShape } from "#api";
import type { Identity } from "#access";
import { requestInvalid, routeUnguarded } from "../errors.ts";
import { callerOf, guarded } from "../security/guard.ts";
import { LARGEST_BODY_BYTES, parseJsonBody } from "../security/request-body.ts";

/** One event of a stream; `sequence` becomes its id, so that a client picks up where it was cut off. */
export interface StreamedEvent<Data> {
  readonly sequence: number;
  readonly data: Data;
}

/** A request, parsed. */
export interface ApiRequest<Shape extends RouteShape> {
  readonly params: Shape["params"];
  readonly query: Shape["query"];
  readonly body: Shape["body"];
  readonly identity: Identity;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** `Last-Event-ID` of a stream that is picked up again. */
  readonly lastEventId: number | undefined;
}

type ShapeOf<Route> = Route extends ApiRoute<infer Shape> ? Shape : never;
type StreamRoute = "streamChanges" | "streamStepRunLog";

/** What answers each route; a route without a handler does not compile. */
export type ApiHandlers = {
  readonly [Name in keyof ApiRoutes]: Name extends StreamRoute
    ? (
        request: ApiRequest<ShapeOf<ApiRoutes[Name]>>,
      ) => AsyncIterable<StreamedEvent<ShapeOf<ApiRoutes[Name]>["response"]>>
    : (request: ApiRequest<ShapeOf<ApiRoutes[Name]>>) => Promise<ShapeOf<ApiRoutes[Name]>["response"]>;
};

type AnyHandler = (request: ApiRequest<RouteShape>) => Promise<unknown> | AsyncIterable<StreamedEvent<unknown>>;

export interface ApiGuard {
  identify(request: FastifyRequest): Promise<Identity>;
  /** Throws when the identity may not. */
  authorize(identity: Identity, capability: ApiRoute["capability"]): void;
}

const PREFIX = "/api/v1";
const KEEP_ALIVE_MS = 15_000;

/** Registers every route of the contract below `/api/v1`, and its description at `/api/v1/openapi.json`. */
export function mountApi(server: FastifyInstance, handlers: ApiHandlers, guard: ApiGuard): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    "application/json",
    { parseAs: "string" },
    async (_request: FastifyRequest, body: string) => parseJsonBody(body),
  );
  for (const [name, route] of Object.entries(routes) as [keyof ApiRoutes, ApiRoute][]) {
    const handler = handlers[name] as unknown as AnyHandler;
    // What changes something says what it takes; reading is every role's.
    if (route.method !== "GET" && route.capability === undefined)
      throw routeUnguarded({ route: `${route.method} ${route.path}` });
    server.route({
      method: route.method,
      url: PREFIX + route.path,
      onRequest: guarded(guard.identify, (identity) => guard.authorize(identity, route.capability)),
      bodyLimit: LARGEST_BODY_BYTES.api,
      handler: async (request, reply) => {
        const parsed = parseRequest(route, request, callerOf(request), reply);
        const answer = handler(parsed);
        if (route.stream === undefined)
          return reply.header("cache-control", "no-store").send(await (answer as Promise<unknown>));
        return sendStream(reply, answer as AsyncIterable<StreamedEvent<unknown>>, route.stream);
      },
    });
  }
  server.get(`${PREFIX}/openapi.json`, { config: { open: "the description of the API holds no data" } }, async () =>
    openApi(),
  );
}

function parseRequest(
  route: ApiRoute,
  request: FastifyRequest,
  identity: Identity,
  reply: FastifyReply,
): ApiRequest<RouteShape> {
  const parse = (where: string, schema: z.ZodType | undefined, value: unknown): unknown => {
    if (schema === undefined) return undefined;
    const result = schema.safeParse(value ?? {});
    if (result.success) return result.data;
    throw requestInvalid({
      where,
      problems: result.error.issues.map((issue) => `${issue.path.join(".") || "it"}: ${issue.message}`),
    });
  };
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const lastEventId = Number(request.headers["last-event-id"]);
  return {
    params: parse("path", route.params, request.params),
    query: parse("query", route.query, request.query),
    body: parse("body", route.body, request.body),
    identity,
    signal: gone.signal,
    lastEventId:
      Number.isSafeInteger(lastEventId) && request.headers["last-event-id"] !== undefined ? lastEventId : undefined,
  };
}

async function sendStream(
  reply: FastifyReply,
  events: AsyncIterable<StreamedEvent<unknown>>,
  stream: NonNullable<ApiRoute["stream"]>,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    connection: "keep-alive",
    "x-accel-buffering": "no",
  });
  raw.write(": open\n\n");
  const keepAlive = setInterval(() => raw.write(": alive\n\n"), KEEP_ALIVE_MS);
  try {
    for await (const { sequence, data } of events) {
      if (raw.destroyed) return;
      const fits = raw.write(`event: ${stream.event}\nid: ${sequence}\ndata: ${JSON.stringify(data)}\n\n`);
      if (!fits) await new Promise<void>((resolve) => void raw.once("drain", resolve).once("close", resolve));
    }
    if (stream.end !== undefined) raw.write(`event: ${stream.end}\ndata: {}\n\n`);
  } finally {
    clearInterval(keepAlive);
    raw.end();
  }
}

function openApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [operationId, route] of Object.entries(routes) as [string, ApiRoute][]) {
    const path = PREFIX + route.path.replaceAll(/:(\w+)/g, "{$1}");
    const parameters = [...parametersOf("path", route.params), ...parametersOf("query", route.query)];
    const content = (schema: z.ZodType): object => ({ "application/json": { schema: toSchema(schema) } });
    (paths[path] ??= {})[route.method.toLowerCase()] = {
      operationId,
      summary: route.summary,
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(route.body === undefined ? {} : { requestBody: { required: true, content: content(route.body) } }),
      responses: {
        200: {
          description: route.summary,
          content:
            route.stream === undefined
              ? content(route.response)
              : { "text/event-stream": { schema: toSchema(route.response) } },
        },
        default: {
          description: "What went wrong: code, message, hint",
          content: { "application/json": { schema: { type: "object" } } },
        },
      },
    };
  }
  return { openapi: "3.1.0", info: { title: "esteira", version: "1" }, paths };
}

function parametersOf(place: "path" | "query", schema: z.ZodType | undefined): object[] {
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

function toSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }) as {
    $schema?: string;
  };
  return rest;
}
