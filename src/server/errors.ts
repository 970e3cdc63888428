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

export const rolesInvalid: ErrorFactory<{
  found: string;
  unknown: readonly string[];
  known: readonly string[];
}> = defineError("SERVER_ROLES_INVALID", {
  status: 400,
  message: ({ found, unknown, known }) =>
    `The server's roles are ${JSON.stringify(found)}${unknown.length === 0 ? "" : `, and there is no role ${unknown.map((name) => JSON.stringify(name)).join(", ")}`}; expected one or more of ${known.join(", ")}`,
  hint: () => "Name them with commas between: esteira up --roles page,api. Without --roles a server has all of them.",
  solve:
    "Name roles that there are, with commas between, in `--roles` or `ESTEIRA_ROLES`; without either a server has all.",
});

export const roleElsewhere: ErrorFactory<{
  surface: string;
  wanted: readonly string[];
  roles: readonly string[];
}> = defineError("SERVER_ROLE_ELSEWHERE", {
  status: 503,
  kind: "transient",
  message: ({ surface, wanted, roles }) =>
    `This process answers nothing of ${surface === "api" ? "the API" : surface}: it has the role ${roles.join(", ")}, and that is for ${wanted.join(" or ")}`,
  hint: ({ wanted }) =>
    `Ask a process that has it (esteira up --roles ${wanted[0] ?? "api"}), or let the proxy before them send this address there.`,
  solve:
    "Send the request to a process with the role that the message names; the guide on operating says which addresses belong to which role.",
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

export const tokenWanted: ErrorFactory<Record<never, never>> = defineError("SERVER_TOKEN_WANTED", {
  status: 401,
  message: () => "The repository is opened with a token alone, and none was sent",
  hint: () => "Give your user name, and the token as the password: http://NAME@HOST:PORT/git/PROJECT.git",
  solve: "Give git your user name, and a token of `esteira token create` as the password.",
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

export const postgresProtocol: ErrorFactory<{ reason: string }> = defineError("SERVER_POSTGRES_PROTOCOL", {
  status: 400,
  message: ({ reason }) => `The client does not speak PostgreSQL's protocol 3: ${reason}`,
  hint: () => "Connect with a client of PostgreSQL: psql, a driver, DBeaver, Metabase.",
  solve: "Connect with a client of PostgreSQL; nothing else answers on this port.",
});

export const postgresUnsupported: ErrorFactory<{ what: string }> = defineError("SERVER_POSTGRES_UNSUPPORTED", {
  status: 400,
  message: ({ what }) => `Not supported here: ${what}`,
  hint: () => "Ask for it as text, or with a plain SELECT.",
  solve: "Ask with a plain SELECT; values of unusual types go as text.",
});

export const postgresReadOnly: ErrorFactory<{ verb: string }> = defineError("SERVER_POSTGRES_READ_ONLY", {
  status: 403,
  message: ({ verb }) => `${verb} is refused: datasets are read here, and written by the steps of a pipeline`,
  hint: () => "Use SELECT; to change a dataset, change the step that makes it.",
  solve: "Use SELECT. To change a dataset, change the step that makes it and run it.",
});

export const postgresDatabaseUnknown: ErrorFactory<{ database: string; project: string }> = defineError(
  "SERVER_POSTGRES_DATABASE_UNKNOWN",
  {
    status: 404,
    message: ({ database, project }) => `There is no database ${database}; this server has ${project}`,
    hint: ({ project }) => `Connect with dbname=${project}.`,
    solve: "The database has the project's name.",
  },
);

export const postgresForbidden: ErrorFactory<{ user: string; project: string }> = defineError(
  "SERVER_POSTGRES_FORBIDDEN",
  {
    status: 403,
    message: ({ user, project }) => `${user} has no role that reads the project ${project}`,
    hint: ({ user, project }) => `An administrator gives one: esteira user grant ${user} viewer --project ${project}`,
    solve: "Ask an administrator for the role `viewer` in the project.",
  },
);

export const postgresRowsLimited: ErrorFactory<{ rows: number }> = defineError("SERVER_POSTGRES_ROWS_LIMITED", {
  status: 413,
  message: ({ rows }) => `The answer has more than ${rows} rows, which is as many as one query may have`,
  hint: () => "Aggregate, filter, use LIMIT, or raise sql.rows in esteira.yaml.",
  solve: "Aggregate, filter or use LIMIT; or raise `sql.rows` in `esteira.yaml`.",
});

export const postgresStatementMissing: ErrorFactory<{ what: "statement" | "portal"; name: string }> = defineError(
  "SERVER_POSTGRES_STATEMENT_MISSING",
  {
    status: 400,
    message: ({ what, name }) => `There is no ${what} ${JSON.stringify(name)} on this connection`,
    hint: () => "Prepare it first; what was prepared ends with its connection.",
    solve: "Prepare the statement on the same connection; with a pooler, turn prepared statements off.",
  },
);

export const postgresConnectionsLimited: ErrorFactory<{ connections: number }> = defineError(
  "SERVER_POSTGRES_CONNECTIONS_LIMITED",
  {
    status: 503,
    message: ({ connections }) => `All ${connections} connections for SQL are in use`,
    hint: () => "Close one, use a pool, or raise sql.connections in esteira.yaml.",
    solve: "Close connections, use a pool, or raise `sql.connections` in `esteira.yaml`.",
  },
);

export const postgresUnencrypted: ErrorFactory<{ host: string }> = defineError("SERVER_POSTGRES_UNENCRYPTED", {
  status: 500,
  message: ({ host }) => `SQL is not served on ${host} without encryption: tokens would cross the network as they are`,
  hint: () => "Name a certificate and its key in esteira.yaml (sql.tls), or serve it on 127.0.0.1 (sql.host).",
  solve: "Set `sql.tls.certificate` and `sql.tls.key`, or serve SQL on 127.0.0.1 only.",
});

export const grpcInvalid: ErrorFactory<{ problem: string }> = defineError("SERVER_GRPC_INVALID", {
  status: 400,
  message: ({ problem }) => `The request over gRPC cannot be read: ${problem}`,
  hint: () => "Is the client made from the Open Inference Protocol's inference.GRPCInferenceService?",
  solve: "Use a client of the Open Inference Protocol, such as tritonclient.grpc.",
});

export const grpcUnimplemented: ErrorFactory<{ procedure: string }> = defineError("SERVER_GRPC_UNIMPLEMENTED", {
  status: 501,
  message: ({ procedure }) => `There is no ${procedure} here`,
  hint: () => "Of inference.GRPCInferenceService everything but loading, logging, tracing and shared memory is there.",
  solve: "Call a procedure of `inference.GRPCInferenceService` that is served.",
});

export const grpcModelUnclear: ErrorFactory<{ name: string; known: readonly string[] }> = defineError(
  "SERVER_GRPC_MODEL_UNCLEAR",
  {
    status: 404,
    message: ({ name, known }) =>
      `The model name "${name}" means no one endpoint; ${known.length === 0 ? "none is deployed" : `there is ${known.join(", ")}`}`,
    hint: () => "Name the environment too: production/NAME.",
    solve: "Give the model as ENVIRONMENT/NAME of an endpoint.",
  },
);
