import type { FastifyInstance, FastifyRequest } from "fastify";
import { type Action, authorize, type Identity } from "#access";
import type { Platform } from "#app";
import type { ServingRoute } from "#serving";
import { callerOf, guarded } from "../security/guard.ts";
import { LARGEST_BODY_BYTES } from "../security/request-body.ts";

/** The addresses of the endpoints themselves: predictions in three protocols, labels, evaluation. */
export function servePredictions(
  server: FastifyInstance,
  platform: Platform,
  identify: (request: FastifyRequest) => Promise<Identity>,
): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    "*",
    { parseAs: "buffer", bodyLimit: LARGEST_BODY_BYTES.predictions },
    (_request, body, done) => done(null, body),
  );
  for (const route of platform.monitoringRoutes) {
    server.route({
      method: route.method,
      url: route.path,
      onRequest: guarded(identify, (identity) => authorize(identity, "write", platform.project)),
      handler: async (request, reply) => {
        const identity = callerOf(request);
        const answer = await route.handler({
          params: request.params as Record<string, string>,
          body: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
          caller: identity.name,
        });
        return reply.code(answer.status).headers(answer.headers).send(answer.body);
      },
    });
  }
  for (const route of platform.servingRoutes) {
    server.route({
      method: route.method,
      url: route.path,
      onRequest: guarded(identify, (identity) => authorize(identity, actionFor(identity, route), platform.project)),
      handler: async (request, reply) => {
        const identity = callerOf(request);
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const answer = await route.handler({
          params: request.params as Record<string, string>,
          query: new URLSearchParams(request.url.split("?")[1] ?? ""),
          headers: request.headers,
          body: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
          caller: identity.name,
          signal: gone.signal,
        });
        return reply
          .code(answer.status)
          .headers(answer.headers ?? {})
          .send(answer.body);
      },
    });
  }
}

/** Who may ask an endpoint may also have it described: clients do that first. */
function actionFor(identity: Identity, route: ServingRoute): Action {
  return identity.only === "predict" ? "predict" : route.action;
}
