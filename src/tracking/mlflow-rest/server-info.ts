import { notImplemented } from "../errors.ts";
import type { MlflowRoute } from "./route.ts";

/**
 * What clients read as the server's version. From 3.4 on they would send trace spans as OTLP protobuf, which is not
 * taken here.
 */
const COMPATIBLE_VERSION = "3.3.0";

/** `/health`, `/version`, `server-info`, and the answer that makes clients send no spans. */
export function serverInfoRoutes(): readonly MlflowRoute[] {
  return [
    { method: "GET", path: "/health", permission: "open", handler: async () => ({ text: "OK" }) },
    { method: "GET", path: "/version", permission: "open", handler: async () => ({ text: COMPATIBLE_VERSION }) },
    {
      method: "GET",
      path: "mlflow/server-info",
      permission: "read",
      handler: async () => ({ json: { store_type: "SqlStore", workspaces_enabled: false } }),
    },
    {
      method: "POST",
      path: "/v1/traces",
      permission: "read",
      handler: async () => {
        // The client looks for exactly this sentence and stops sending spans.
        throw notImplemented({ message: "REST OTLP span logging is not supported by this server" });
      },
    },
  ];
}
