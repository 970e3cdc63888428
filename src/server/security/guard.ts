import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Identity } from "#access";
import { routeUnguarded } from "../errors.ts";

const callers = new WeakMap<FastifyRequest, Identity>();
const guards = new WeakSet<object>();

declare module "fastify" {
  interface FastifyContextConfig {
    /** Why the route needs no guard of its own. */
    readonly open?: string;
  }
}

/**
 * Refuses to start a server with a route that neither has a guard nor says why it needs none. @throws
 * SERVER_ROUTE_UNGUARDED
 */
export function refuseUnguardedRoutes(server: FastifyInstance): void {
  server.addHook("onRoute", ({ method, url, onRequest, config }) => {
    const hooks = [onRequest ?? []].flat();
    if (config?.open !== undefined || hooks.some((hook) => guards.has(hook))) return;
    throw routeUnguarded({ route: `${[method].flat().join("|")} ${url}` });
  });
}

/**
 * An `onRequest` hook that says who calls, and whether they may, by the headers alone: of a refused request no byte of
 * the body is read.
 *
 * @param mayCall throws when the caller may not
 */
export function guarded(
  identify: (request: FastifyRequest) => Promise<Identity>,
  mayCall: (identity: Identity) => void,
): (request: FastifyRequest) => Promise<void> {
  const guard = async (request: FastifyRequest): Promise<void> => {
    const identity = await identify(request);
    mayCall(identity);
    callers.set(request, identity);
  };
  guards.add(guard);
  return guard;
}

/** Who calls a guarded route. */
export function callerOf(request: FastifyRequest): Identity {
  const identity = callers.get(request);
  if (identity === undefined) throw new Error(`the route ${request.routeOptions.url ?? request.url} has no guard`);
  return identity;
}
