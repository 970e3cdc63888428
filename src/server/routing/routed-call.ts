import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { authorize, type Identity } from "#access";
import type { Action, Route } from "#api";
import { decodeBody } from "./request-body.ts";

/** A call that was let in: its caller may do what its route does, and its body was read as the route says. */
export class RoutedCall {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  /** As it was sent: percent-encoded, without the query string. */
  readonly path: string;
  /** Who calls; undefined where the route is open to anybody. */
  readonly identity: Identity | undefined;
  /** Whole and decompressed; empty where the route takes none, or a stream. */
  readonly body: Buffer;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #project: string;
  readonly #queryText: string;
  #query: URLSearchParams | undefined;

  constructor(routed: Routed, body: Buffer, request: FastifyRequest, reply: FastifyReply) {
    const url = request.raw.url ?? "/";
    const queryAt = url.indexOf("?");
    this.route = routed.route;
    this.params = routed.params;
    this.identity = routed.identity;
    this.body = body;
    this.path = queryAt < 0 ? url : url.slice(0, queryAt);
    this.#request = request;
    this.#reply = reply;
    this.#project = routed.project;
    this.#queryText = queryAt < 0 ? "" : url.slice(queryAt + 1);
  }

  get method(): string {
    return this.#request.method;
  }

  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }

  get query(): URLSearchParams {
    return (this.#query ??= new URLSearchParams(this.#queryText));
  }

  /** The body of a route that takes a stream, decompressed while it is read. @throws SERVER_ENCODING_UNKNOWN */
  get stream(): Readable {
    return decodeBody(this.#request.raw);
  }

  /** The caller of a route that is not open. */
  get caller(): Identity {
    if (this.identity === undefined) throw new Error(`the open route ${this.path} asked who calls`);
    return this.identity;
  }

  /** Aborts when the client goes away. */
  get signal(): AbortSignal {
    const gone = new AbortController();
    this.#reply.raw.once("close", () => gone.abort());
    return gone.signal;
  }

  /** For what shows only in the body: whether the caller may do this too. @throws ACCESS_DENIED */
  assertMay(action: Action): void {
    authorize(this.caller, action, { kind: this.route.resource, project: this.#project });
  }
}

/** What is known of a call before its body is read. */
export interface Routed {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  readonly identity: Identity | undefined;
  readonly project: string;
}
