import type { FastifyInstance } from "fastify";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * Refuses requests that a foreign web page makes a browser send: a Host header that is not ours (DNS rebinding),
 * and state-changing requests from another origin. The sentences are those that MLflow's clients know.
 *
 * @param names host names this server answers to, beside the loopback ones; `*` answers to all
 */
export function checkHostAndOrigin(server: FastifyInstance, names: readonly string[]): void {
  const allowed = new Set([...LOOPBACK_NAMES, ...names.map((name) => name.toLowerCase())]);
  const anyHost = allowed.has("*");
  const isOurs = (host: string): boolean => anyHost || allowed.has(withoutPort(host).toLowerCase());
  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-content-type-options", "nosniff");
    reply.header("x-frame-options", "SAMEORIGIN");
    reply.header("referrer-policy", "same-origin");
    const { host, origin } = request.headers;
    if (host === undefined || !isOurs(host))
      return reply.code(403).type("text/plain").send("Invalid Host header - possible DNS rebinding attack detected");
    if (origin === undefined || SAFE_METHODS.has(request.method)) return undefined;
    if (origin !== "null" && originHost(origin) === host.toLowerCase()) return undefined;
    return reply.code(403).type("text/plain").send("Cross-origin request blocked");
  });
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, "");
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host.toLowerCase();
  } catch {
    return undefined;
  }
}
