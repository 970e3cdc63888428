import type { z } from "zod";
import type { Action } from "./action.ts";
import type { ResourceKind } from "./resource.ts";

/** The four shapes of a route; what is left out is empty. */
export interface RouteShape {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  readonly response?: unknown;
}

/** What checks the four shapes. */
export interface RouteSchemas<Shape extends RouteShape = RouteShape> {
  readonly params?: z.ZodType<Shape["params"]>;
  readonly query?: z.ZodType<Shape["query"]>;
  readonly body?: z.ZodType<Shape["body"]>;
  readonly response?: z.ZodType<Shape["response"]>;
}

export const HTTP_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** Protocols that the server speaks; the place of each is in {@link SURFACE_PREFIXES}. */
export const SURFACES = [
  "api",
  "mlflow",
  "serving",
  "monitoring",
  "features",
  "hooks",
  "operations",
  "workers",
] as const;
export type Surface = (typeof SURFACES)[number];

/** What stands before a path of each surface that does not begin with `/`. MLflow's calls stand in four places. */
export const SURFACE_PREFIXES: Readonly<Record<Surface, readonly string[]>> = {
  api: ["/api/v1/"],
  mlflow: ["/api/2.0/", "/api/3.0/", "/ajax-api/2.0/", "/ajax-api/3.0/"],
  serving: ["/"],
  monitoring: ["/"],
  features: ["/"],
  hooks: ["/"],
  operations: ["/"],
  workers: ["/"],
};

/** Of MLflow's places, the one for pages. */
export const MLFLOW_PLACE_OF_PAGES = 2;

/** How the clients of a route read an error: see `error-reply.ts` of `server`. */
export type ErrorForm = "esteira" | "mlflow" | "mlflow-scoring" | "open-inference" | "feast" | "git" | "openai";

/** What a route takes as body: at most so many bytes once decompressed, read before it is answered; or a stream. */
export type RouteBody =
  | { readonly largestBytes: number; /** Nothing else is taken; any type without it. */ readonly type?: string }
  | { readonly streamed: true };

/** Why a route asks no role of its caller: what it tells is no secret, or the body is signed. */
export interface Open {
  readonly open: string;
}

/**
 * One HTTP route as a value, free of any HTTP framework: the server mounts it, clients are derived from it, the OpenAPI
 * document describes it, tests walk over all of them. What answers it stands elsewhere, see {@link Answered}.
 */
export interface Route {
  readonly surface: Surface;
  readonly method: HttpMethod;
  /** After the prefix of its surface; with a leading `/`: whole. `:name` is one segment, a final `*` the rest. */
  readonly path: string;
  /** What it does, in a line; those of the API stand apart, in `api-summaries.ts`. */
  readonly summary?: string;
  /** What the caller must be allowed to do. Asked before a byte of the body is read. */
  readonly action: Action | Open;
  /** To what; it belongs to the project of the server. */
  readonly resource: ResourceKind;
  /** Without one, no body is read. */
  readonly body?: RouteBody;
  readonly errors: ErrorForm;
  /** Loaded when they are asked for: neither the page nor the start of a server needs them. */
  readonly schemas?: () => Promise<RouteSchemas>;
  /** Answers with a server-sent event stream; the response's shape is the data of one event, `event` its name. */
  readonly stream?: { readonly event: string; readonly end?: string };
}

/** A route with what answers it; a surface says what its handlers get. */
export interface Answered<Handler> {
  readonly route: Route;
  readonly handler: Handler;
}

/** Where a route is served, with `:name` and `*`: the first of its places. */
export function addressOf(route: Pick<Route, "surface" | "path">): string {
  return addressesOf(route)[0] ?? route.path;
}

/** Every place where a route is served. */
export function addressesOf({ surface, path }: Pick<Route, "surface" | "path">): readonly string[] {
  return path.startsWith("/") ? [path] : SURFACE_PREFIXES[surface].map((prefix) => prefix + path);
}

/** True when a route needs nobody to be signed in. */
export function isOpen(action: Route["action"]): action is Open {
  return typeof action === "object";
}
