import type { FastifyInstance, FastifyRequest } from "fastify";
import { type Action, authorize, type Identity } from "#access";
import type { Platform } from "#app";
import type { ServingRoute } from "#serving";

const LARGEST_BODY_BYTES = 64 * 2 ** 20;

/** The addresses of the endpoints themselves: predictions in three protocols, labels, evaluation. */
export function servePredictions(server: FastifyInstance, platform: Platform, identify: (request: FastifyRequest) => Promise<Identity>): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: LARGEST_BODY_BYTES }, (_request, body, done) => done(null, body));
  for (const route of platform.monitoringRoutes) {
    server.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const identity = await identify(request);
        authorize(identity, "write", platform.project);
        const answer = await route.handler({ params: request.params as Record<string, string>, body: (request.body as Buffer | undefined) ?? Buffer.alloc(0), caller: identity.name });
        return reply.code(answer.status).headers(answer.headers).send(answer.body);
      },
    });
  }
  for (const route of platform.servingRoutes) {
    server.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const identity = await identify(request);
        authorize(identity, actionFor(identity, route), platform.project);
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
        return reply.code(answer.status).headers(answer.headers ?? {}).send(answer.body);
      },
    });
  }
}

/** Who may ask an endpoint may also have it described: clients do that first. */
function actionFor(identity: Identity, route: ServingRoute): Action {
  return identity.only === "predict" ? "predict" : route.action;
}
