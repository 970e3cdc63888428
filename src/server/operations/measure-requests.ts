import type { FastifyInstance } from "fastify";
import type { Metrics } from "#base";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route hands its requests to another server, which measures them. */
    readonly handsOver?: boolean;
  }
}

/** Measures every request by method, route and status. Source: OpenTelemetry's conventions for HTTP servers. */
export function measureRequests(server: FastifyInstance, metrics: Metrics): void {
  const duration = metrics.histogram(
    "http_server_request_duration_seconds",
    "How long requests took, from their head to the end of the answer.",
  );
  server.addHook("onResponse", async (request, reply) => {
    const { config, url } = request.routeOptions;
    if (config.handsOver === true || String(reply.getHeader("content-type") ?? "").startsWith("text/event-stream"))
      return;
    const method = METHODS.has(request.method) ? request.method : "_OTHER";
    duration.observe(
      { http_request_method: method, http_route: url ?? "", http_response_status_code: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
  });
}
