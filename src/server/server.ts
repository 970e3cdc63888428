import type { FastifyInstance } from "fastify";
import { messageOf, type Log, type Metrics } from "#base";
import { listenFailed, portInUse } from "./errors.ts";
import { measureRequests } from "./operations/measure-requests.ts";
import { replyWithErrors } from "./security/error-reply.ts";
import { refuseUnguardedRoutes } from "./routing/mount-routes.ts";
import { checkHostAndOrigin } from "./security/host-and-origin.ts";
import { compressAnswers } from "./web/compress-answers.ts";
import { limitConnections } from "./security/connection-limit.ts";
import { serveWebPage } from "./web/static-files.ts";

const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const HEADERS_TIMEOUT_MS = 20_000;
const CHECK_EVERY_MS = 5000;

/** One concern of the server: adds its routes. */
export type ServerPlugin = (server: FastifyInstance) => void | Promise<void>;

export interface ServerOptions {
  /** Resources, in order. */
  readonly plugins: readonly ServerPlugin[];
  /** Host names this server answers to, beside the loopback ones. */
  readonly hostNames: readonly string[];
  /** Absolute folder of the built web page; none is served without it. */
  readonly webFolder?: string;
  readonly log: Log;
  readonly metrics?: Metrics;
}

/** Builds the HTTP server; it does not listen yet, and can be tested with `inject`. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { default: Fastify } = await import("fastify");
  const server = Fastify({
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // How long a connection may take to send the head of a request, and how often that is looked at.
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: CHECK_EVERY_MS },
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 2000 },
    schemaController: { compilersFactory: { buildValidator: refuseSchemas, buildSerializer: refuseSchemas } },
  });
  if (options.metrics !== undefined) measureRequests(server, options.metrics);
  checkHostAndOrigin(server, options.hostNames);
  replyWithErrors(server, options.log);
  refuseUnguardedRoutes(server);
  compressAnswers(server);
  limitConnections(server.server);
  // oxlint-disable-next-line no-await-in-loop -- plugins are mounted in their order, once
  for (const plugin of options.plugins) await server.register(async (scope) => plugin(scope));
  if (options.webFolder !== undefined) serveWebPage(server, options.webFolder);
  return server;
}

// The contract in #api checks requests; without a compiler of its own, Fastify would load three at start.
function refuseSchemas(): never {
  throw new Error("routes have no Fastify schema: the contract in #api checks requests");
}

/**
 * Listens.
 *
 * @param port 0 picks a free one
 * @returns the base URL
 * @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED
 */
export async function listen(
  server: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    await server.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === "EADDRINUSE"
      ? portInUse({ host, port })
      : listenFailed({ host, port, reason: messageOf(error) }, error);
  }
  const address = server.server.address();
  const actualPort = typeof address === "object" && address !== null ? address.port : port;
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${actualPort}`;
}
