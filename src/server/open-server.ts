import type { FastifyInstance } from "fastify";
import { resolve } from "node:path";
import { addressesOf, isOpen, listRoutes, type ServerRole, SURFACE_PREFIXES, type Surface } from "#api";
import type { StorePlatform } from "#app";
import { accessNotSetUp } from "./errors.ts";
import { mountMlflow } from "./mlflow/mlflow-mounts.ts";
import { operationMounts } from "./operations/operation-mounts.ts";
import { serveOnDemand } from "./on-demand.ts";
import { type Guard, type Mounted, mountRoutes } from "./routing/mount-routes.ts";
import { createCallerLimits } from "./security/caller-limits.ts";
import { isLoopback } from "./security/host-and-origin.ts";
import { createServer, listen, type ServerPlugin } from "./server.ts";
import { answersSurface, mountsElsewhere, refuseSurface } from "./server-roles.ts";

/** Surfaces that need the whole platform. */
const PROJECT_SURFACES: readonly Surface[] = ["api", "serving", "monitoring", "features", "hooks", "workers"];
const WEB_FOLDER = resolve(import.meta.dirname, "../../web/dist");

export interface OpenServerOptions {
  /** Address it will listen on. */
  readonly host: string;
  /** Names it answers to, beside the loopback ones and `host`. */
  readonly hostNames?: readonly string[];
  /** Default: the platform's. */
  readonly roles?: readonly ServerRole[];
}

/**
 * The HTTP server of a platform: page, MLflow, and with the first request to them the API and endpoints. It does not
 * listen yet.
 *
 * @throws SERVER_ACCESS_NOT_SET_UP when others could reach it and no user exists
 */
export async function openServer(platform: StorePlatform, options: OpenServerOptions): Promise<FastifyInstance> {
  const { access, project, log, metrics } = platform;
  const { roles = platform.roles } = options;
  if (!isLoopback(options.host) && !(await access.isSetUp())) throw accessNotSetUp({ host: options.host });
  const guard: Guard = {
    project,
    limits: createCallerLimits(platform.config.server),
    identify(request) {
      const loopback = isLoopback(request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "");
      return access.authenticate({ authorization: request.headers.authorization, loopback });
    },
  };
  const hostNames = [options.host, ...(options.hostNames ?? [])];
  const buildProjectServer = async (): Promise<FastifyInstance> => {
    const mounted = [
      ...mountsElsewhere(PROJECT_SURFACES, roles),
      ...(PROJECT_SURFACES.some((surface) => answersSurface(roles, surface)) ? await mountsHere(platform, roles) : []),
    ];
    const plugins: readonly ServerPlugin[] = [(server) => mountRoutes(server, mounted, guard)];
    const server = await createServer({ hostNames, log, metrics, plugins });
    await server.ready();
    return server;
  };
  const mlflow = { calls: mlflowCallsOf(platform, roles), attemptScope: platform.attemptScope, log };
  return createServer({
    hostNames,
    ...(roles.includes("page") ? { webFolder: WEB_FOLDER } : {}),
    log,
    metrics,
    plugins: [
      (server) => mountMlflow(server, mlflow, guard),
      (server) => mountRoutes(server, operationMounts(platform, guard), guard),
      (server) => serveOnDemand(server, { paths: projectPaths(), build: buildProjectServer }),
    ],
  });
}

async function mountsHere(platform: StorePlatform, roles: readonly ServerRole[]): Promise<readonly Mounted[]> {
  const [whole, { projectMounts }] = await Promise.all([platform.whole(), import("./project-server.ts")]);
  return (await projectMounts(whole)).filter(({ route }) => answersSurface(roles, route.surface));
}

/** Where MLflow is answered elsewhere, its probes are answered all the same. */
function mlflowCallsOf(
  platform: StorePlatform,
  roles: readonly ServerRole[],
): ReturnType<StorePlatform["mlflowCalls"]> {
  const calls = platform.mlflowCalls();
  if (answersSurface(roles, "mlflow")) return calls;
  const refuse = (): Promise<never> => Promise.reject(refuseSurface("mlflow", roles));
  return calls.map((call) => (isOpen(call.route.action) ? call : { ...call, handler: refuse }));
}

/** Places below which the routes of a project are: `/api/v1/*`, `/endpoints/*`, `/get-online-features`. */
function projectPaths(): readonly string[] {
  const routes = listRoutes().filter(({ route }) => PROJECT_SURFACES.includes(route.surface));
  const places = routes.flatMap(({ route }) =>
    addressesOf(route).map((address) => {
      const prefix = SURFACE_PREFIXES[route.surface].find((each) => each !== "/" && address.startsWith(each));
      return prefix === undefined ? address.replace(/^(\/[^/]+\/).*/, "$1*") : `${prefix}*`;
    }),
  );
  return [...new Set(places)];
}

/** Serves a platform on a free loopback port: for steps of a process that has no server otherwise. */
export async function startLocalServer(
  platform: StorePlatform,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const host = "127.0.0.1";
  // What steps ask is answered here, whatever the process does for others.
  const server = await openServer(platform, { host, roles: [...new Set([...platform.roles, "api" as const])] });
  const url = await listen(server, { host, port: 0 });
  return { url, close: () => server.close() };
}
