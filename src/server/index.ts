export { type ApiCall, callApi } from "./api/call-api.ts";
export { openServer, type OpenServerOptions, startLocalServer } from "./open-server.ts";
export { readServerRoles } from "./server-roles.ts";
export { listen } from "./server.ts";
export { servePostgres } from "./postgres/postgres-server.ts";
export { serveGrpc } from "./grpc/grpc-server.ts";
