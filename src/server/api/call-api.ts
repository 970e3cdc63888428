import { authorize, type Identity } from "#access";
import type { ApiPart, CallName, ClientResponse } from "#api";
import type { Platform } from "#app";

/** The shapes of one call, as its handler gets them. */
export interface ApiCall<Name extends CallName> {
  readonly request: {
    readonly params: ApiPart<Name, "params">;
    readonly query: ApiPart<Name, "query">;
    readonly body: ApiPart<Name, "body">;
  };
  readonly response: ClientResponse<Name>;
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
  const [{ apiRoutes, isOpen }, { createApiHandlers }] = await Promise.all([
    import("#api"),
    import("./create-api-handlers.ts"),
  ]);
  const { action, resource } = apiRoutes[name];
  if (!isOpen(action)) authorize(request.identity, action, { kind: resource, project: platform.project });
  const handler = createApiHandlers(platform)[name] as unknown as (call: object) => Promise<ApiCall<Name>["response"]>;
  return handler({ params: undefined, query: {}, body: {}, lastEventId: undefined, ...request });
}
