import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { SURFACE_PREFIXES } from "#api";
import { type Log, messageOf } from "#base";
import {
  type AttemptScope,
  callMethodWrong,
  callMissing,
  type MlflowCall,
  type MlflowMessage,
  type MlflowRequest,
  type MlflowResponse,
  requestInvalid,
  writeJson,
} from "#tracking";
import { type Address, type Guard, mountAddresses, type Mounted } from "../routing/mount-routes.ts";
import { createRouteTable, type RouteTable } from "../routing/route-table.ts";
import type { RoutedCall } from "../routing/routed-call.ts";
import { toMlflowCaller } from "./mlflow-caller.ts";
import { readMessage } from "./read-message.ts";
import { sendFile } from "./send-file.ts";

export interface MlflowOptions {
  readonly calls: readonly MlflowCall[];
  /** What the tokens of attempts may log to. Without one, they only read. */
  readonly attemptScope?: AttemptScope;
  readonly log: Log;
}

const METHODS: HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Serves MLflow's REST API: calls below the four prefixes, and those with a path of their own. */
export function mountMlflow(server: FastifyInstance, options: MlflowOptions, guard: Guard): void {
  const mounted = options.calls.map((call): Mounted => ({
    route: call.route,
    answer: (routed, reply) => answer(options, call, routed, reply),
  }));
  mountAddresses(server, addressesOf(mounted), guard);
}

function addressesOf(mounted: readonly Mounted[]): readonly Address[] {
  const below = mounted.filter(({ route }) => !route.path.startsWith("/"));
  const own = mounted.filter(({ route }) => route.path.startsWith("/"));
  const addressAt = (url: string, prefix: string, table: RouteTable, held: readonly Mounted[]): Address => ({
    url,
    methods: METHODS,
    routes: held.map(({ route }) => route),
    errors: "mlflow",
    find: (request, reply) => findIn(table, prefix, request, reply),
  });
  const table = createRouteTable(below);
  const ownTable = createRouteTable(own);
  return [
    ...SURFACE_PREFIXES.mlflow.map((prefix) => addressAt(`${prefix}*`, prefix, table, below)),
    ...[...new Set(own.map(({ route }) => route.path))].map((path) => addressAt(path, "", ownTable, own)),
  ];
}

function findIn(
  table: RouteTable,
  prefix: string,
  request: FastifyRequest,
  reply: FastifyReply,
): ReturnType<Address["find"]> {
  reply.header("vary", "Origin");
  const url = request.raw.url ?? "/";
  const queryAt = url.indexOf("?");
  const path = queryAt < 0 ? url : url.slice(0, queryAt);
  const { method } = request;
  const found = lookUp(table, method, path.slice(prefix.length));
  // Clients read ENDPOINT_NOT_FOUND as "this server does not know the call", and fall back.
  if (found === undefined) throw callMissing({ message: `This server has no call ${method} ${path}` });
  if ("mounted" in found) return found;
  reply.header("allow", found.allowed.join(", "));
  throw callMethodWrong({ method, path, allowed: found.allowed });
}

function lookUp(table: RouteTable, method: string, path: string): ReturnType<RouteTable["find"]> {
  try {
    return table.find(method, path);
  } catch (error) {
    throw requestInvalid({ message: "Invalid path" }, error);
  }
}

async function answer(
  { attemptScope, log }: MlflowOptions,
  { route, handler }: MlflowCall,
  routed: RoutedCall,
  reply: FastifyReply,
): Promise<unknown> {
  const { identity, params, path, headers } = routed;
  let message: Promise<MlflowMessage> | undefined;
  const request: MlflowRequest = {
    method: routed.method,
    path,
    get query() {
      return routed.query;
    },
    params,
    headers,
    identity: toMlflowCaller(identity),
    assertMay: (action) => routed.assertMay(action),
    message: () => (message ??= readMessage(routed)),
    get body() {
      return routed.stream;
    },
  };
  if (identity?.attempt !== undefined && route.action !== "read") {
    if (attemptScope === undefined) throw new Error("a step's token was accepted where nothing says what it may write");
    await attemptScope.assertWithin(identity.attempt, route, request);
  }
  return send(log, routed, reply, await handler(request));
}

async function send(log: Log, call: RoutedCall, reply: FastifyReply, response: MlflowResponse): Promise<unknown> {
  reply.code(response.status ?? 200);
  if (response.stream !== undefined) {
    reply.headers({ "content-type": "application/octet-stream", ...response.headers });
    if (call.method !== "HEAD") return reply.send(response.stream);
    response.stream.destroy();
    return reply.send();
  }
  if (response.file !== undefined) {
    if (response.headers !== undefined) reply.headers(response.headers);
    if (call.method !== "HEAD")
      return sendFile(reply, response.file, (error) =>
        log.error("A download broke off", { path: call.path, reason: messageOf(error) }),
      );
    await response.file.handle.close();
    return reply.send();
  }
  if (response.text !== undefined) reply.type("text/plain; charset=utf-8");
  else reply.type("application/json");
  if (response.headers !== undefined) reply.headers(response.headers);
  return reply.send(response.text ?? writeJson(response.json ?? {}));
}
