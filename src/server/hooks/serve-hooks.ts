import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Platform } from "#app";
import { LARGEST_WEBHOOK_BYTES } from "#delivery";
import { projectNotOpen } from "../errors.ts";
import { LARGEST_BODY_BYTES } from "../security/request-body.ts";

const SIGNED = { open: "the signature stands for the caller" };

/**
 * `POST /hooks/push`: signed push events in GitHub's form; `POST /hooks/NAME`: signed calls of webhooks. The signature
 * stands for the caller.
 */
export function serveHooks(server: FastifyInstance, platform: Platform): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  // The body of an unsigned push is not read: what nobody signed cannot be right, and it may be large.
  const refuseUnsigned = async (request: FastifyRequest): Promise<void> => {
    if (request.headers["x-hub-signature-256"] !== undefined) return;
    const handler = await platform.pushHandler();
    if (handler === undefined) throw projectNotOpen({ what: "Receiving pushes" });
    await handler({ headers: {}, body: Buffer.alloc(0) });
  };
  server.post(
    "/hooks/push",
    { config: SIGNED, onRequest: refuseUnsigned, bodyLimit: LARGEST_BODY_BYTES.push },
    async (request, reply) => {
      const handler = await platform.pushHandler();
      if (handler === undefined) throw projectNotOpen({ what: "Receiving pushes" });
      const answer = await handler({
        headers: request.headers as Record<string, string | undefined>,
        body: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
      });
      return reply.code(answer.status).send(answer.json);
    },
  );
  server.post<{ Params: { name: string } }>(
    "/hooks/:name",
    { config: SIGNED, bodyLimit: LARGEST_WEBHOOK_BYTES },
    async (request, reply) => {
      if (platform.webhookHandler === undefined) throw projectNotOpen({ what: "Receiving webhooks" });
      const answer = await platform.webhookHandler(request.params.name, {
        headers: request.headers as Record<string, string | undefined>,
        body: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
      });
      return reply.code(answer.status).send(answer.json);
    },
  );
}
