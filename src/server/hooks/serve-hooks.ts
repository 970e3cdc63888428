import type { FastifyInstance } from "fastify";
import type { Platform } from "#app";
import { projectNotOpen } from "../errors.ts";

/** `POST /hooks/push`: signed push events in GitHub's form; the signature stands for the caller. */
export function servePushes(server: FastifyInstance, platform: Platform): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  server.post("/hooks/push", async (request, reply) => {
    const handler = await platform.pushHandler();
    if (handler === undefined) throw projectNotOpen({ what: "Receiving pushes" });
    const answer = await handler({ headers: request.headers as Record<string, string | undefined>, body: (request.body as Buffer | undefined) ?? Buffer.alloc(0) });
    return reply.code(answer.status).send(answer.json);
  });
}
