import type { FastifyInstance, HTTPMethods } from "fastify";

const METHODS: HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/**
 * Hands the requests of some paths over to another server, which is built with the first of them and closed with this
 * one.
 *
 * @param paths as routes are written: `/api/v1/*`
 * @param build a server that does not listen; when it fails, the request fails and the next one tries again
 */
export function serveOnDemand(
  server: FastifyInstance,
  { paths, build }: { readonly paths: readonly string[]; readonly build: () => Promise<FastifyInstance> },
): void {
  let built: Promise<FastifyInstance> | undefined;
  const buildOnce = (): Promise<FastifyInstance> => {
    built ??= build().catch((error: unknown) => {
      built = undefined;
      throw error;
    });
    return built;
  };
  for (const url of paths) {
    server.route({
      method: METHODS,
      url,
      config: { handsOver: true, open: "the other server asks" },
      // Before the body is read: that is the other server's to do.
      onRequest: async (request, reply) => {
        const other = await buildOnce();
        reply.hijack();
        other.routing(request.raw, reply.raw);
      },
      handler: async () => undefined,
    });
  }
  server.addHook("onClose", async () => {
    await (await built?.catch(() => undefined))?.close();
  });
}
