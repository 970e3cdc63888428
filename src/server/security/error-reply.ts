import type { FastifyInstance, FastifyReply } from "fastify";
import { EsteiraError, type Log, messageOf } from "#base";
import { requestInvalid, routeMissing } from "../errors.ts";

interface ValidationIssue {
  readonly instancePath?: string;
  readonly message?: string;
}

/** Answers every failure as `{ error: { code, message, hint, … } }`; what we did not foresee is logged and says nothing of its inside. */
export function replyWithErrors(server: FastifyInstance, log: Log): void {
  server.setErrorHandler((error: unknown, request, reply) => {
    if (error instanceof EsteiraError) return send(reply, error);
    const { validation, validationContext, statusCode, code } = error as { validation?: ValidationIssue[]; validationContext?: string; statusCode?: number; code?: string };
    if (validation !== undefined) {
      const problems = validation.map(({ instancePath, message }) => `${(instancePath ?? "").slice(1).replaceAll("/", ".") || "it"}: ${message ?? "not valid"}`);
      return send(reply, requestInvalid({ where: validationContext ?? "body", problems }));
    }
    if (statusCode !== undefined && statusCode < 500) return reply.code(statusCode).send({ error: { code: code ?? "SERVER_REQUEST_REFUSED", message: messageOf(error) } });
    log.error("request failed", { method: request.method, url: request.url, reason: messageOf(error), stack: (error as Error).stack });
    return reply.code(500).send({ error: { code: "SERVER_INTERNAL", message: "The server failed in a way it did not foresee; its log has the details." } });
  });
  server.setNotFoundHandler((request, reply) => send(reply, routeMissing({ method: request.method, path: request.url.split("?")[0] ?? "" })));
}

function send(reply: FastifyReply, error: EsteiraError): FastifyReply {
  if (error.kind === "transient" && error.status === 503) reply.header("retry-after", "1");
  return reply.code(error.status).send({ error: error.toJSON() });
}
