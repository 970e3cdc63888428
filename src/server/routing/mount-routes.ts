import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { authorize, type Identity } from "#access";
import { ACTIONS, addressesOf, type ErrorForm, isOpen, RESOURCES, type Route } from "#api";
import { requestRefused, routeUnguarded } from "../errors.ts";
import type { CallerLimits } from "../security/caller-limits.ts";
import { readBody } from "./request-body.ts";
import { RoutedCall, type Routed } from "./routed-call.ts";

/** A route with what answers it over HTTP. */
export interface Mounted {
  readonly route: Route;
  /** Beside the caller's role, and like that before the body is read: throws what refuses the call. */
  readonly admit?: (headers: IncomingHttpHeaders, params: Readonly<Record<string, string>>) => Promise<void>;
  /** Sends, or resolves to what `reply` sends. */
  readonly answer: (call: RoutedCall, reply: FastifyReply) => Promise<unknown>;
}

/** A place in the server where one or more routes are. */
export interface Address {
  readonly url: string;
  readonly methods: HTTPMethods[];
  readonly routes: readonly Route[];
  /** How clients read an error of this place, also when it holds no such route. */
  readonly errors: ErrorForm;
  /** The route that a request means. Throws when there is none. */
  find(
    request: FastifyRequest,
    reply: FastifyReply,
  ): { readonly mounted: Mounted; readonly params: Readonly<Record<string, string>> };
}

/** Who calls, and in which project. */
export interface Guard {
  /** From the headers alone. @throws ACCESS_UNAUTHENTICATED */
  identify(request: FastifyRequest): Promise<Identity>;
  readonly project: string;
  /** What one caller may ask at once; default: no limit. */
  readonly limits?: CallerLimits;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Why the place needs no route of `#api`. */
    readonly open?: string;
    readonly errors?: ErrorForm;
  }
  interface FastifyRequest {
    routed: (Routed & { readonly answer: Mounted["answer"] }) | undefined;
  }
}

const EMPTY = Buffer.alloc(0);
const guards = new WeakSet<object>();

/** Mounts each route at its own place. @throws SERVER_ROUTE_UNGUARDED */
export function mountRoutes(server: FastifyInstance, mounted: readonly Mounted[], guard: Guard): void {
  mountAddresses(server, mounted.flatMap(placesOf), guard);
}

function placesOf(mounted: Mounted): readonly Address[] {
  const { route } = mounted;
  return addressesOf(route).map((url) => ({
    url,
    methods: [route.method],
    routes: [route],
    errors: route.errors,
    find: (request) => ({ mounted, params: request.params as Record<string, string> }),
  }));
}

/**
 * The one mount of all surfaces. Of each request it finds the route, has the caller identified from the headers, asks
 * whether they may do what the route does, and only then reads the body, within the limit of the route. Of a refused
 * request no byte of the body is read.
 *
 * @throws SERVER_ROUTE_UNGUARDED
 */
export function mountAddresses(server: FastifyInstance, addresses: readonly Address[], guard: Guard): void {
  for (const { routes } of addresses) for (const route of routes) assertGuarded(route);
  // Bodies are left alone until the caller is known.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, _payload, done) => done(null));
  if (!server.hasRequestDecorator("routed")) server.decorateRequest("routed", undefined);
  for (const address of addresses) {
    const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const { mounted, params } = address.find(request, reply);
      const identity = await letIn(mounted, request, guard);
      // Who looks after the server looks also when it is asked too much.
      if (guard.limits !== undefined && mounted.route.surface !== "operations")
        reply.raw.once("close", guard.limits.enter(identity, request.socket.remoteAddress ?? "unknown"));
      await mounted.admit?.(request.headers, params);
      request.routed = { route: mounted.route, params, identity, project: guard.project, answer: mounted.answer };
    };
    guards.add(admit);
    server.route({
      method: address.methods,
      url: address.url,
      config: { errors: address.errors },
      onRequest: admit,
      handler: answerRouted,
    });
  }
}

async function letIn({ route }: Mounted, request: FastifyRequest, guard: Guard): Promise<Identity | undefined> {
  const { action, resource } = route;
  if (isOpen(action)) return undefined;
  const identity = await guard.identify(request);
  authorize(identity, action, { kind: resource, project: guard.project });
  return identity;
}

async function answerRouted(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { routed } = request;
  if (routed === undefined) throw new Error(`${request.method} ${request.url} was answered before it was let in`);
  const body = await readAs(routed.route, request);
  return routed.answer(new RoutedCall(routed, body, request, reply), reply);
}

async function readAs({ body }: Route, { raw }: FastifyRequest): Promise<Buffer> {
  if (body === undefined || "streamed" in body) return EMPTY;
  const { "content-type": found, "content-length": length, "transfer-encoding": coding } = raw.headers;
  const isEmpty = coding === undefined && (length === undefined || length === "0");
  const type = found?.split(";")[0]?.trim().toLowerCase();
  if (body.type !== undefined && type !== body.type && !(isEmpty && found === undefined))
    throw requestRefused({ status: 415, reason: `its Content-Type is ${found ?? "missing"}; expected ${body.type}` });
  return isEmpty ? EMPTY : readBody(raw, body.largestBytes);
}

/** The compiler asks for both; who casts is refused here. */
function assertGuarded({ method, path, action, resource }: Partial<Route>): void {
  const isKnown =
    typeof action === "string" ? ACTIONS.includes(action) : typeof action?.open === "string" && action.open !== "";
  if (isKnown && resource !== undefined && RESOURCES.includes(resource)) return;
  throw routeUnguarded({ route: `${method} ${path}` });
}

/**
 * Refuses to start a server with a place that was not mounted here, unless it says why it needs no guard.
 *
 * @throws SERVER_ROUTE_UNGUARDED
 */
export function refuseUnguardedRoutes(server: FastifyInstance): void {
  server.addHook("onRoute", ({ method, url, onRequest, config }) => {
    const hooks = [onRequest ?? []].flat();
    if (config?.open !== undefined || hooks.some((hook) => guards.has(hook))) return;
    throw routeUnguarded({ route: `${[method].flat().join("|")} ${url}` });
  });
}
