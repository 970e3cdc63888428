import type { FastifyReply } from "fastify";
import { isAllowed } from "#access";
import { operationRoutes } from "#api";
import type { HealthCheck, StorePlatform } from "#app";
import type { Guard, Mounted } from "../routing/mount-routes.ts";

/**
 * What whoever runs the server asks: `/livez`, `/readyz` and `/healthz` (the same), open to all, and `/metrics` in the
 * text format of Prometheus, for those who may read the project.
 *
 * Probes come without a token: they learn which part is not ready; names and reasons are for those who may read.
 */
export function operationMounts(platform: StorePlatform, guard: Guard): readonly Mounted[] {
  const { project, roles } = platform;
  const answerReadiness: Mounted["answer"] = async (_call, reply) => {
    const checks = await platform.health();
    const isReady = checks.every(({ problem }) => problem === undefined);
    const identity = await guard.identify(reply.request).catch(() => undefined);
    const tells = identity !== undefined && isAllowed(identity, "read", { project });
    const parts = Object.fromEntries(checks.map((check) => [check.name, toText(check, tells)]));
    return uncached(reply.code(isReady ? 200 : 503)).send({
      status: isReady ? "ready" : "not ready",
      roles,
      checks: parts,
    });
  };
  return [
    // Answers as long as the event loop turns: whoever restarts what does not answer must not be led by a store that is
    // away for a moment.
    { route: operationRoutes.isLive, answer: async (_call, reply) => uncached(reply).send({ status: "live" }) },
    { route: operationRoutes.isReady, answer: answerReadiness },
    { route: operationRoutes.isHealthy, answer: answerReadiness },
    {
      route: operationRoutes.getMetrics,
      answer: async (_call, reply) =>
        uncached(reply)
          .type("text/plain; version=0.0.4; charset=utf-8")
          .send(await platform.metrics.write()),
    },
  ];
}

function uncached(reply: FastifyReply): FastifyReply {
  return reply.header("cache-control", "no-store");
}

function toText({ problem }: HealthCheck, tells: boolean): string {
  if (problem === undefined) return "ok";
  return tells ? problem : "not ready";
}
