import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { authorize, type Identity, isAllowed } from "#access";
import type { HealthCheck, StorePlatform } from "#app";
import { guarded } from "../security/guard.ts";

const PROBE = { config: { open: "probes come without a token, and learn no name" } };

/**
 * What whoever runs the server asks: `/livez`, `/readyz` and `/healthz` (the same), open to all, and `/metrics` in the
 * text format of Prometheus, for those who may read the project.
 *
 * Probes come without a token: they learn which part is not ready; names and reasons are for those who may read.
 */
export function serveOperations(
  server: FastifyInstance,
  platform: StorePlatform,
  identify: (request: FastifyRequest) => Promise<Identity>,
): void {
  const mayRead = async (request: FastifyRequest): Promise<boolean> => {
    const identity = await identify(request).catch(() => undefined);
    return identity !== undefined && isAllowed(identity, "read", platform.project);
  };
  const answerReadiness = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const checks = await platform.health();
    const isReady = checks.every(({ problem }) => problem === undefined);
    const tells = await mayRead(request);
    reply.header("cache-control", "no-store").code(isReady ? 200 : 503);
    return reply.send({
      status: isReady ? "ready" : "not ready",
      checks: Object.fromEntries(checks.map((check) => [check.name, toText(check, tells)])),
    });
  };
  // Answers as long as the event loop turns: whoever restarts what does not answer must not be led by a store that is
  // away for a moment.
  server.get("/livez", PROBE, async (_request, reply) =>
    reply.header("cache-control", "no-store").send({ status: "live" }),
  );
  server.get("/readyz", PROBE, answerReadiness);
  server.get("/healthz", PROBE, answerReadiness);
  server.get(
    "/metrics",
    { onRequest: guarded(identify, (identity) => authorize(identity, "read", platform.project)) },
    async (_request, reply) =>
      reply
        .header("cache-control", "no-store")
        .type("text/plain; version=0.0.4; charset=utf-8")
        .send(await platform.metrics.write()),
  );
}

function toText({ problem }: HealthCheck, tells: boolean): string {
  if (problem === undefined) return "ok";
  return tells ? problem : "not ready";
}
