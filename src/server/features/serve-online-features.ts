import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorize, type Identity } from "#access";
import type { Platform } from "#app";
import { guarded } from "../security/guard.ts";
import { LARGEST_BODY_BYTES } from "../security/request-body.ts";

/** `POST /get-online-features`, as Feast's feature server answers it. */
export function serveOnlineFeatures(
  server: FastifyInstance,
  platform: Platform,
  identify: (request: FastifyRequest) => Promise<Identity>,
): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    "*",
    { parseAs: "string", bodyLimit: LARGEST_BODY_BYTES.features },
    (_request, body, done) => done(null, body),
  );
  const onRequest = guarded(identify, (identity) => authorize(identity, "read", platform.project));
  server.post("/get-online-features", { onRequest }, async (request, reply) => {
    const answer = await platform.features.handleGetOnlineFeatures(
      typeof request.body === "string" ? request.body : "",
    );
    return reply.code(answer.status).type(answer.contentType).send(answer.body);
  });
}
