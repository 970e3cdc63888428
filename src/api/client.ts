import { apiRoutes, type ApiShapes } from "./api-routes.ts";
import { addressesOf, type HttpMethod, type Route } from "./route.ts";

/** Names of the calls that answer with a stream of events. */
export type StreamName = "streamChanges" | "streamStepRunLog";

/** Names of the calls that answer once. */
export type CallName = Exclude<keyof ApiShapes, StreamName>;

type Given<Name extends keyof ApiShapes, Part extends string> = Part extends keyof ApiShapes[Name]
  ? { readonly [Each in Part]: ApiShapes[Name][Part] }
  : unknown;

/** What a client gives to a call; what its query leaves out has a default. */
export type ClientRequest<Name extends keyof ApiShapes> = Given<Name, "params"> &
  Given<Name, "body"> &
  ("query" extends keyof ApiShapes[Name] ? { readonly query?: Partial<ApiShapes[Name]["query"]> } : unknown);

/** What a call answers. */
export type ClientResponse<Name extends keyof ApiShapes> = ApiShapes[Name]["response"];

/** Values of a query string; a list repeats its name, what is undefined is left out. */
export type QueryValues = Readonly<
  Record<string, string | number | boolean | readonly (string | number)[] | undefined>
>;

export interface AddressParts {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: QueryValues;
}

/**
 * Where a route is called, with its parameters and its query encoded.
 *
 * @param place which of the places of its surface, from 0; the default is the first
 */
export function toAddress(route: Pick<Route, "surface" | "path">, parts: AddressParts, place = 0): string {
  const places = addressesOf(route);
  const pattern = places[Math.min(place, places.length - 1)] ?? "";
  const path = pattern.replaceAll(/:(\w+)|\*$/g, (mark, name: string | undefined) => {
    const value = String(parts.params?.[name ?? "*"] ?? mark);
    return name === undefined ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });
  return `${path}${toQueryText(parts.query ?? {})}`;
}

function toQueryText(query: QueryValues): string {
  const values = new URLSearchParams();
  for (const [name, given] of Object.entries(query)) {
    for (const value of [given].flat()) if (value !== undefined && value !== "") values.append(name, String(value));
  }
  const text = values.toString();
  return text === "" ? "" : `?${text}`;
}

/** One call as HTTP sends it. */
export interface HttpCall {
  readonly method: HttpMethod;
  readonly address: string;
  readonly body?: object;
  readonly signal?: AbortSignal;
}

/**
 * A client of the API, derived from its routes: names, parameters and answers are those of the contract.
 *
 * @param send sends one call and answers its JSON; throws what is no success
 */
export function createClient(send: (call: HttpCall) => Promise<unknown>) {
  return async <Name extends CallName>(
    name: Name,
    request: ClientRequest<Name>,
    signal?: AbortSignal,
  ): Promise<ClientResponse<Name>> => {
    const route = apiRoutes[name];
    const { body, ...parts } = request as AddressParts & { readonly body?: object };
    const answer = await send({
      method: route.method,
      address: toAddress(route, parts),
      // What changes something is sent with a body, be it empty: its type keeps forms of other pages out.
      ...(route.body === undefined ? {} : { body: body ?? {} }),
      ...(signal === undefined ? {} : { signal }),
    });
    return answer as ClientResponse<Name>;
  };
}
