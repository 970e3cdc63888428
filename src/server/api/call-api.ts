import { authorize, type Identity } from "#access";
import type { ApiRoute, ApiRoutes } from "#api";
import type { Platform } from "#app";

type StreamName = "streamChanges" | "streamStepRunLog";

/** Names of the calls that answer once. */
export type CallName = Exclude<keyof ApiRoutes, StreamName>;

/** The shapes of one call. */
export interface ApiCall<Name extends CallName> {
  readonly request: {
    readonly params: ApiRoutes[Name] extends ApiRoute<infer Shape> ? Shape["params"] : never;
    readonly query: ApiRoutes[Name] extends ApiRoute<infer Shape> ? Shape["query"] : never;
    readonly body: ApiRoutes[Name] extends ApiRoute<infer Shape> ? Shape["body"] : never;
  };
  readonly response: ApiRoutes[Name] extends ApiRoute<infer Shape> ? Shape["response"] : never;
}

/**
 * Calls the API in this process, with the same checks and the same answer as over HTTP. @throws ACCESS_DENIED, and what
 * the call throws
 */
export async function callApi<Name extends CallName>(
  platform: Platform,
  name: Name,
  request: { readonly identity: Identity; readonly signal: AbortSignal } & Partial<ApiCall<Name>["request"]>,
): Promise<ApiCall<Name>["response"]> {
  const [{ routes }, { createApiHandlers }, { actionOfCapability }] = await Promise.all([
    import("#api"),
    import("./create-api-handlers.ts"),
    import("../session/session-handlers.ts"),
  ]);
  const { capability } = routes[name] as ApiRoute;
  authorize(request.identity, capability === undefined ? "read" : actionOfCapability[capability], platform.project);
  const handler = createApiHandlers(platform)[name] as unknown as (call: object) => Promise<ApiCall<Name>["response"]>;
  return handler({ params: undefined, query: {}, body: {}, lastEventId: undefined, ...request });
}
