import type { FastifyRequest } from "fastify";
import type { Identity } from "#access";

const callers = new WeakMap<FastifyRequest, Identity>();

/**
 * An `onRequest` hook that says who calls, and whether they may, by the headers alone: of a refused request no byte of the body is read.
 *
 * @param mayCall throws when the caller may not
 */
export function guarded(identify: (request: FastifyRequest) => Promise<Identity>, mayCall: (identity: Identity) => void): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const identity = await identify(request);
    mayCall(identity);
    callers.set(request, identity);
  };
}

/** Who calls a guarded route. */
export function callerOf(request: FastifyRequest): Identity {
  const identity = callers.get(request);
  if (identity === undefined) throw new Error(`the route ${request.routeOptions.url ?? request.url} has no guard`);
  return identity;
}
