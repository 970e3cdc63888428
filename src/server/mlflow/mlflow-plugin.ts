import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { type Log, messageOf } from "#base";
import {
  type AttemptScope,
  callMethodWrong,
  callMissing,
  type CallingAttempt,
  MLFLOW_PERMISSIONS,
  type MlflowCaller,
  type MlflowMessage,
  type MlflowPermission,
  type MlflowRequest,
  type MlflowResponse,
  type MlflowRoute,
  requestInvalid,
  toMlflowError,
  writeJson,
} from "#tracking";
import { routeUnguarded } from "../errors.ts";
import { createRouteTable, MLFLOW_PREFIXES, type RouteTable } from "./route-table.ts";
import { readMessage } from "./read-message.ts";
import { sendFile } from "./send-file.ts";
import { decodeBody } from "../security/request-body.ts";

export interface MlflowPluginOptions {
  readonly routes: readonly MlflowRoute[];
  /** Who calls; throws what stops the request. MLflow's clients send HTTP Basic or a bearer token. */
  readonly identify: (request: FastifyRequest) => MlflowCaller | Promise<MlflowCaller>;
  /** What the tokens of attempts may write. Without one, they only read. */
  readonly attemptScope?: AttemptScope;
  readonly log: Log;
}

/** Each of MLflow's routes has its own permission, which is asked once the route is known. */
const OPEN_HERE = { open: "the permission of MLflow's route is asked" };
const METHODS: HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/** Calls that clients make before they know any credentials. */
const ANYBODY: MlflowCaller = {
  name: "anonymous",
  user: "anonymous",
  assertMay: () => {
    throw new Error("an open route asked what nobody may");
  },
};

/** Serves MLflow's REST API: calls below the four prefixes, and those with a path of their own. */
export function createMlflowPlugin(options: MlflowPluginOptions): (server: FastifyInstance) => void {
  for (const { method, path, permission } of options.routes) {
    if (!MLFLOW_PERMISSIONS.includes(permission)) throw routeUnguarded({ route: `${method} ${path}` });
  }
  const below = createRouteTable(options.routes.filter((route) => !route.path.startsWith("/")));
  const own = options.routes.filter((route) => route.path.startsWith("/"));
  return (server) => {
    // Bodies are left alone: JSON is read exactly, artifacts are streamed.
    server.removeAllContentTypeParsers();
    server.addContentTypeParser("*", (_request, _payload, done) => done(null));
    for (const prefix of MLFLOW_PREFIXES) {
      const handler = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
        answer({ ...options, table: below, prefix }, request, reply);
      server.route({ method: METHODS, url: `${prefix}*`, config: OPEN_HERE, handler });
    }
    const table = createRouteTable(own);
    for (const path of new Set(own.map((route) => route.path))) {
      const handler = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
        answer({ ...options, table, prefix: "" }, request, reply);
      server.route({ method: METHODS, url: path, config: OPEN_HERE, handler });
    }
  };
}

interface Answering extends MlflowPluginOptions {
  readonly table: RouteTable;
  readonly prefix: string;
}

async function answer(options: Answering, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  reply.header("vary", "Origin");
  try {
    const [path, queryText] = splitOnce(request.raw.url ?? "/", "?");
    const found = findRoute(options, request.method, path.slice(options.prefix.length));
    // Clients read ENDPOINT_NOT_FOUND as "this server does not know the call", and fall back.
    if (found === undefined) throw callMissing({ message: `This server has no call ${request.method} ${path}` });
    if ("allowed" in found) {
      reply.header("allow", found.allowed.join(", "));
      throw callMethodWrong({ method: request.method, path, allowed: found.allowed });
    }
    const { route } = found;
    const identity = route.permission === "open" ? ANYBODY : await options.identify(request);
    if (route.permission !== "open") identity.assertMay(actionOf(route.permission));
    let message: Promise<MlflowMessage> | undefined;
    const query = new URLSearchParams(queryText);
    const call: MlflowRequest = {
      method: request.method,
      path,
      query,
      params: found.params,
      headers: request.headers,
      identity,
      message: () => (message ??= readMessage(route, query, request.raw)),
      get body() {
        return decodeBody(request.raw);
      },
    };
    if (identity.attempt !== undefined && actionOf(route.permission) !== "read")
      await assertOwn(options.attemptScope, identity.attempt, route, call);
    return await send(options.log, request, reply, await route.handler(call));
  } catch (error) {
    return await sendError(options.log, request, reply, error);
  }
}

/** The first word of a permission. */
function actionOf(permission: MlflowPermission): "read" | "write" | "administer" {
  if (permission === "read" || permission === "administer") return permission;
  return "write";
}

async function assertOwn(
  scope: AttemptScope | undefined,
  attempt: CallingAttempt,
  route: MlflowRoute,
  call: MlflowRequest,
): Promise<void> {
  if (scope === undefined) throw new Error("a step's token was accepted where nothing says what it may write");
  await scope.assertWithin(attempt, route, call);
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function findRoute({ table }: Answering, method: string, path: string): ReturnType<RouteTable["find"]> {
  try {
    return table.find(method, path);
  } catch (error) {
    throw requestInvalid({ message: "Invalid path" }, error);
  }
}

async function send(
  log: Log,
  request: FastifyRequest,
  reply: FastifyReply,
  response: MlflowResponse,
): Promise<unknown> {
  reply.code(response.status ?? 200);
  if (response.stream !== undefined) {
    reply.headers({ "content-type": "application/octet-stream", ...response.headers });
    if (request.method !== "HEAD") return reply.send(response.stream);
    response.stream.destroy();
    return reply.send();
  }
  if (response.file !== undefined) {
    if (response.headers !== undefined) reply.headers(response.headers);
    if (request.method !== "HEAD")
      return sendFile(reply, response.file, (error) =>
        log.error("A download broke off", { url: request.url, reason: messageOf(error) }),
      );
    await response.file.handle.close();
    return reply.send();
  }
  if (response.text !== undefined) reply.type("text/plain; charset=utf-8");
  else reply.type("application/json");
  if (response.headers !== undefined) reply.headers(response.headers);
  return reply.send(response.text ?? writeJson(response.json ?? {}));
}

async function sendError(log: Log, request: FastifyRequest, reply: FastifyReply, error: unknown): Promise<unknown> {
  const { status, body } = toMlflowError(error);
  if (status >= 500 && status !== 501)
    log.error("MLflow call failed", {
      method: request.method,
      url: request.url,
      reason: messageOf(error),
      stack: (error as Error).stack,
    });
  // What is still on its way of a refused body would be taken for the next request.
  if (!request.raw.readableEnded) request.raw.resume();
  if (status === 401) reply.header("www-authenticate", 'Basic realm="mlflow"');
  return reply.code(status).type("application/json").send(writeJson(body));
}
