import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorize, type Identity } from "#access";
import type { Platform } from "#app";

/** `POST /get-online-features`, as Feast's feature server answers it. */
export function serveOnlineFeatures(server: FastifyInstance, platform: Platform, identify: (request: FastifyRequest) => Promise<Identity>): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  server.post("/get-online-features", async (request, reply) => {
    authorize(await identify(request), "read", platform.project);
    const answer = await platform.features.handleGetOnlineFeatures(typeof request.body === "string" ? request.body : "");
    return reply.code(answer.status).type(answer.contentType).send(answer.body);
  });
}
