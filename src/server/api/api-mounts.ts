import type { FastifyReply } from "fastify";
import type { z } from "zod";
import type { Identity } from "#access";
import { apiRoutes, type ApiShapes, type Route, type RouteSchemas, type RouteShape, type StreamName } from "#api";
import { requestInvalid } from "../errors.ts";
import type { Mounted } from "../routing/mount-routes.ts";
import { parseJsonBody } from "../routing/request-body.ts";
import type { RoutedCall } from "../routing/routed-call.ts";

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

/** What answers each route; a route without a handler does not compile. */
export type ApiHandlers = {
  readonly [Name in keyof ApiShapes]: Name extends StreamName
    ? (request: ApiRequest<ApiShapes[Name]>) => AsyncIterable<StreamedEvent<ApiShapes[Name]["response"]>>
    : (request: ApiRequest<ApiShapes[Name]>) => Promise<ApiShapes[Name]["response"]>;
};

type AnyHandler = (request: ApiRequest<RouteShape>) => Promise<unknown> | AsyncIterable<StreamedEvent<unknown>>;

const KEEP_ALIVE_MS = 15_000;

/** Every route of the API with what answers it. */
export async function apiMounts(handlers: ApiHandlers): Promise<readonly Mounted[]> {
  return Promise.all(
    (Object.entries(apiRoutes) as [keyof ApiShapes, Route][]).map(async ([name, route]): Promise<Mounted> => {
      const handler = handlers[name] as unknown as AnyHandler;
      const schemas = await route.schemas?.();
      return {
        route,
        answer: async (call, reply) => {
          const answer = handler(parseCall(schemas ?? {}, call));
          if (route.stream === undefined)
            return reply.header("cache-control", "no-store").send(await (answer as Promise<unknown>));
          return sendStream(reply, answer as AsyncIterable<StreamedEvent<unknown>>, route.stream);
        },
      };
    }),
  );
}

function parseCall(schemas: RouteSchemas, call: RoutedCall): ApiRequest<RouteShape> {
  const parse = (where: string, schema: z.ZodType | undefined, value: unknown): unknown => {
    if (schema === undefined) return undefined;
    const result = schema.safeParse(value ?? {});
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "it"}: ${issue.message}`);
    throw requestInvalid({ where, problems });
  };
  const lastEventId = Number(call.headers["last-event-id"]);
  return {
    params: parse("path", schemas.params, call.params),
    query: parse("query", schemas.query, toRecord(call.query)),
    body: parse("body", schemas.body, parseJsonBody(call.body.toString("utf8"))),
    identity: call.caller,
    signal: call.signal,
    lastEventId:
      Number.isSafeInteger(lastEventId) && call.headers["last-event-id"] !== undefined ? lastEventId : undefined,
  };
}

/** A name that is repeated is a list, which no query of the API takes. */
function toRecord(query: URLSearchParams): object {
  const names = new Set(query.keys());
  const valueOf = (name: string): string | readonly string[] => {
    const values = query.getAll(name);
    return values.length === 1 ? (values[0] ?? "") : values;
  };
  return Object.fromEntries([...names].map((name) => [name, valueOf(name)]));
}

async function sendStream(
  reply: FastifyReply,
  events: AsyncIterable<StreamedEvent<unknown>>,
  stream: NonNullable<Route["stream"]>,
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
