import { defineError, type ErrorFactory } from "#base";

export const portInUse: ErrorFactory<{ host: string; port: number }> = defineError("SERVER_PORT_IN_USE", {
  status: 500,
  message: ({ host, port }) => `Port ${port} on ${host} is taken by another process`,
  hint: ({ port }) => `Stop that process, or choose another port: esteira up --port ${port + 1} (0 picks a free one).`,
  solve: "Stop the other process (`ss -ltnp` shows it) or pass another `--port`; `--port 0` picks a free one.",
});

export const listenFailed: ErrorFactory<{ host: string; port: number; reason: string }> = defineError(
  "SERVER_LISTEN_FAILED",
  {
    status: 500,
    message: ({ host, port, reason }) => `The server cannot listen on ${host}:${port}: ${reason}`,
    hint: () => "Check that the address belongs to this machine; ports below 1024 need privileges.",
    solve: "Use an address of this machine and a port above 1023.",
  },
);

export const accessNotSetUp: ErrorFactory<{ host: string }> = defineError("SERVER_ACCESS_NOT_SET_UP", {
  status: 500,
  message: ({ host }) =>
    `The server does not listen on ${host} while no user exists: anybody who reaches it could do anything`,
  hint: () =>
    "Create the first user, who gets a token: esteira user create NAME --role admin (with the same --store, if you gave one). Or listen on 127.0.0.1.",
  solve:
    "Create a user (`esteira user create NAME --role admin`) before listening on an address that others can reach.",
});

export const routeMissing: ErrorFactory<{ method: string; path: string }> = defineError("SERVER_ROUTE_MISSING", {
  status: 404,
  message: ({ method, path }) => `There is nothing at ${method} ${path}`,
  hint: () => "The API is described at /api/v1/openapi.json.",
  solve: "Check the path and the method against `/api/v1/openapi.json`.",
});

export const requestInvalid: ErrorFactory<{ where: string; problems: readonly string[] }> = defineError(
  "SERVER_REQUEST_INVALID",
  {
    status: 400,
    message: ({ where, problems }) => `The request's ${where} is not valid: ${problems.join("; ")}`,
    hint: () => "The shapes are described at /api/v1/openapi.json.",
    solve: "Correct the fields named in the message.",
  },
);

export const resourceMissing: ErrorFactory<{ kind: string; key: string }> = defineError("SERVER_RESOURCE_MISSING", {
  status: 404,
  message: ({ kind, key }) => `There is no ${kind} ${JSON.stringify(key)} in this project`,
  hint: ({ kind }) => `Check the name; the list of every ${kind} shows what there is.`,
  solve: "Check the name against the list of that resource.",
});

export const projectNotOpen: ErrorFactory<{ what: string }> = defineError("SERVER_PROJECT_NOT_OPEN", {
  status: 409,
  message: ({ what }) => `${what} needs a project, and this server was started outside one`,
  hint: () => "Start it in a folder with an esteira.yaml: cd my-project && esteira up",
  solve: "Start `esteira up` inside a project's folder.",
});

export const routeUnguarded: ErrorFactory<{ route: string }> = defineError("SERVER_ROUTE_UNGUARDED", {
  status: 500,
  message: ({ route }) => `The route ${route} says of nobody who may call it`,
  solve:
    "Give the route the action that a caller's role must allow; a server with a route that has none does not start.",
});

export const requestsTooMany: ErrorFactory<{ caller: string; limit: string; seconds: number }> = defineError(
  "SERVER_REQUESTS_TOO_MANY",
  {
    status: 429,
    kind: "transient",
    message: ({ caller, limit }) => `There are more requests of ${caller} than the ${limit} that one caller may make`,
    hint: ({ seconds }) =>
      `Ask again in ${seconds} s; or send fewer requests with more in each, or raise server.concurrency or server.rate in esteira.yaml.`,
    solve:
      "Wait for the seconds in `Retry-After`, send fewer requests with more in each, or raise `server.concurrency` or `server.rate`.",
  },
);

export const encodingUnknown: ErrorFactory<{ found: string }> = defineError("SERVER_ENCODING_UNKNOWN", {
  status: 415,
  message: ({ found }) =>
    `The request's Content-Encoding is ${JSON.stringify(found)}; expected gzip, deflate, br or identity`,
  hint: () => "Send the body compressed once with one of these, or not at all.",
  solve: "Compress the body with gzip, deflate (zlib) or br, once, or send it as it is.",
});

export const bodyTooLarge: ErrorFactory<{ largestBytes: number | undefined }> = defineError("SERVER_BODY_TOO_LARGE", {
  status: 413,
  message: ({ largestBytes }) =>
    largestBytes === undefined
      ? "The request's body is larger than this address takes"
      : `The request's body is larger than ${largestBytes} bytes decompressed, the most that this address takes`,
  hint: () => "Split it across several requests.",
  solve: "Split the request; the limit is of the decompressed body.",
});

export const requestRefused: ErrorFactory<{ status: number; reason: string }> = defineError("SERVER_REQUEST_REFUSED", {
  status: 400,
  message: ({ reason }) => `The request was refused: ${reason}`,
  solve: "The message says what the HTTP server could not read: content type, length, header.",
});
