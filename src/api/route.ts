import type { z } from "zod";

/** The four shapes of a route; what is left out is empty. */
export interface RouteShape {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  readonly response: unknown;
}

/** One HTTP route as data: the server registers it, the OpenAPI page describes it, tests walk over all of them. */
export interface ApiRoute<Shape extends RouteShape = RouteShape> {
  readonly method: "GET" | "POST";
  /** Below `/api/v1`; parameters as `:name`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodType<Shape["params"]>;
  readonly query?: z.ZodType<Shape["query"]>;
  readonly body?: z.ZodType<Shape["body"]>;
  readonly response: z.ZodType<Shape["response"]>;
  /** Answers with a server-sent event stream; `response` is the data of one event, `event` its name. */
  readonly stream?: { readonly event: string; readonly end?: string };
  /** What the caller must be allowed to do; nothing: reading is enough. */
  readonly capability?:
    | "pipeline.run"
    | "pipeline.cancel"
    | "approve"
    | "rollback"
    | "alert.acknowledge"
    | "quarantine.decide"
    | "dataset.restore"
    | "dataset.drop";
}
